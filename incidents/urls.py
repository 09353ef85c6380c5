"""The routes of this floor: doors for machines first, then REST and the signed links."""

from django.urls import path, re_path

from incidents import answers, doors

urlpatterns = [
    re_path(r"^api/v1/events/?$", doors.events, name="event-api"),
    path("integrations/<str:kind>/<str:key>", doors.integration, name="integration"),
    path("integrations/<str:kind>/<str:key>/", doors.integration),
    re_path(r"^v2/enqueue/?$", doors.enqueue, name="pagerduty-enqueue"),
    path("reply/<str:token>", answers.reply, name="reply"),
    path("reply/<str:token>/", answers.reply),
    re_path(r"^integrations/pagerduty/[^/]+/v2/enqueue/?$", doors.enqueue),
]
