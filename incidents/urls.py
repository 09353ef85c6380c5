"""The routes of this floor: doors for machines first, then REST and the signed links."""

from django.urls import include, path, re_path

from config.api import UUID, Router
from incidents import answers, doors
from incidents.api import bulk
from incidents.api.connections import ConnectionViewSet
from incidents.api.deliveries import DeliveryViewSet
from incidents.api.incidents import IncidentViewSet
from incidents.api.sources import AlertSourceViewSet, RawEventViewSet, events_route

router = Router()
router.register("incidents", IncidentViewSet, "incident")
router.register("alert-sources", AlertSourceViewSet, "alert-source")
router.register("connections", ConnectionViewSet, "connection")
router.register("deliveries", DeliveryViewSet, "delivery")

rest = [
    *[re_path(rf"^incidents/bulk/{view.verb}/?$", view.as_view(), name=f"bulk-{view.verb}") for view in bulk.VIEWS],
    re_path(r"^events/?$", events_route(), name="event-api"),
    re_path(rf"^events/(?P<id>{UUID})/?$", RawEventViewSet.as_view({"get": "retrieve"}), name="raw-event"),
    *router.urls,
]

urlpatterns = [
    path("integrations/<str:kind>/<str:key>", doors.integration, name="integration"),
    path("integrations/<str:kind>/<str:key>/", doors.integration),
    re_path(r"^v2/enqueue/?$", doors.enqueue, name="pagerduty-enqueue"),
    path("reply/<str:token>", answers.reply, name="reply"),
    path("reply/<str:token>/", answers.reply),
    re_path(r"^integrations/pagerduty/[^/]+/v2/enqueue/?$", doors.enqueue),
    path("api/v1/", include(rest)),
]
