"""Every door: machine routes come before the console's, with and without the slash at the end."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from config import console, health, metrics

handler400 = "config.problems.bad_request"
handler404 = "config.problems.page_not_found"
handler500 = "config.problems.server_error"

urlpatterns = [
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", metrics.Metrics.as_view(), name="metrics"),
    path("", include("incidents.urls")),
    path("api/v1/", include("destinations.urls")),
    path("api/v1/", include("oncall.urls")),
    re_path(r"^api/schema/?$", SpectacularJSONAPIView.as_view(), name="schema"),
    re_path(r"^api/docs/?$", SpectacularSwaggerSplitView.as_view(), name="docs"),
    re_path(r"^admin/?$", RedirectView.as_view(url="/"), name="old-admin"),
    path("banners/", console.live_banners, name="console-banners"),
    path("", include("incidents.console_urls")),
    path("", include("oncall.console_urls")),
    path("", admin.site.urls),
]
