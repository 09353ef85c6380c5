"""Every door: machine routes come before the console's."""

from django.contrib import admin
from django.urls import path, re_path

from config import health, metrics

urlpatterns = [
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", metrics.Metrics.as_view(), name="metrics"),
    path("", admin.site.urls),
]
