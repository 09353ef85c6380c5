"""The console's addresses of alerting."""

from django.urls import path

from incidents.admin import connections, deliveries, destinations, sources

urlpatterns = [
    path("alert-sources/", sources.sources, name="console-sources"),
    path("alert-sources/new/", sources.new, name="console-source-new"),
    path("alert-sources/<uuid:uuid>/", sources.source, name="console-source"),
    path("alert-sources/<uuid:uuid>/live/", sources.live, name="console-source-live"),
    path("alert-sources/<uuid:uuid>/edit/", sources.edit, name="console-source-edit"),
    path("alert-sources/<uuid:uuid>/rotate/", sources.rotate, name="console-source-rotate"),
    path("alert-sources/<uuid:uuid>/test/", sources.test, name="console-source-test"),
    path("alert-sources/<uuid:uuid>/switch/", sources.switch, name="console-source-switch"),
    path("alert-sources/<uuid:uuid>/delete/", sources.ask_to_delete, name="console-source-delete"),
    path("alert-sources/<uuid:uuid>/deleted/", sources.delete, name="console-source-deleted"),
    path("alert-destinations/", destinations.destinations, name="console-destinations"),
    path("alert-destinations/new/", destinations.choose, name="console-destination-choose"),
    path("alert-destinations/new/<slug:kind>/", destinations.new, name="console-destination-new"),
    path("alert-destinations/new/<slug:kind>/test/", destinations.test_new, name="console-destination-test-new"),
    path("alert-destinations/<uuid:uuid>/", destinations.destination, name="console-destination"),
    path("alert-destinations/<uuid:uuid>/test/", destinations.test, name="console-destination-test"),
    path("alert-destinations/<uuid:uuid>/switch/", destinations.switch, name="console-destination-switch"),
    path("alert-destinations/<uuid:uuid>/delete/", destinations.ask_to_delete, name="console-destination-delete"),
    path("alert-destinations/<uuid:uuid>/deleted/", destinations.delete, name="console-destination-deleted"),
    path("connections/", connections.connections, name="console-connections"),
    path("connections/new/", connections.choose, name="console-connection-choose"),
    path("connections/new/<uuid:connector>/", connections.new, name="console-connection-new"),
    path("connections/<uuid:uuid>/", connections.edit, name="console-connection"),
    path("connections/<uuid:uuid>/switch/", connections.switch, name="console-connection-switch"),
    path("connections/<uuid:uuid>/deleted/", connections.delete, name="console-connection-deleted"),
    path("deliveries/", deliveries.deliveries, name="console-deliveries"),
    path("deliveries/replay/", deliveries.replay_chosen, name="console-deliveries-replay"),
    path("deliveries/<uuid:uuid>/", deliveries.delivery, name="console-delivery"),
    path("deliveries/<uuid:uuid>/live/", deliveries.live, name="console-delivery-live"),
    path("deliveries/<uuid:uuid>/replay/", deliveries.replay, name="console-delivery-replay"),
]
