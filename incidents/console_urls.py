"""The console's pages of what is wrong, and the first page of all."""

from django.urls import path, re_path

from incidents.admin import by_hand, home, incident_list, incident_page, raw_events, verbs

urlpatterns = [
    path("", home.home, name="home"),
    path("live/", home.live, name="console-home-live"),
    re_path(r"^incidents/?$", incident_list.incident_list, name="console-incidents"),
    path("incidents/live/", incident_list.live, name="console-incidents-live"),
    path("incidents/new/", by_hand.new, name="console-incident-new"),
    path("incidents/bulk/", verbs.act_on_many, name="console-incidents-bulk"),
    path("incidents/<int:number>/", incident_page.incident_page, name="console-incident"),
    path("incidents/<int:number>/live/", incident_page.live, name="console-incident-live"),
    path("incidents/<int:number>/tell/<uuid:uuid>/", verbs.tell_connection, name="console-incident-tell"),
    path("incidents/<int:number>/<slug:name>/", verbs.act, name="console-incident-verb"),
    path("incidents/<int:number>", incident_page.incident_page),
    path("raw-events/", raw_events.raw_events, name="console-raw-events"),
]
