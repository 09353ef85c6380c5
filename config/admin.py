"""What of the installed packages the console shows: the periods of the jobs, and nothing that has a page of its own."""

from datetime import datetime

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.admin import ModelAdmin
from unfold.decorators import display

for _model in (Group, PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(PeriodicTask)
class JobAdmin(ModelAdmin):
    """How often each job runs, and whether it does. Jobs come from config/celery.py: none is added or deleted here."""

    fields = ("name", "description", "enabled", "interval", "last_run_at")
    readonly_fields = ("name", "description", "last_run_at")
    list_display = ("name", "about", "every", "enabled", "last_run")
    list_display_links = ("name",)
    search_fields = ("name", "description")
    ordering = ("name",)
    actions = None
    list_select_related = ("interval",)

    @display(description="What it does")
    def about(self, job: PeriodicTask) -> str:
        """Its sentence from the table of jobs."""
        return str(job.description)

    @display(description="Period", ordering="interval")
    def every(self, job: PeriodicTask) -> str:
        """How often it runs."""
        return str(job.interval)

    @display(description="Last run", ordering="last_run_at")
    def last_run(self, job: PeriodicTask) -> datetime | None:
        """When beat last started it."""
        return job.last_run_at

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        """Nobody deletes one."""
        return False


@admin.register(IntervalSchedule)
class PeriodAdmin(ModelAdmin):
    """The periods a job can have."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """It is reached from a job's form, not from a list of its own."""
        return False
