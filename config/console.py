"""The console: the admin site itself at /, its sidebar, and what every page of ours stands on.

How to add a page
-----------------
1. A view, decorated, that answers with `show`. The decorator sends strangers to the sign-in page, asks the permission,
   and turns whatever Problem the view raises (`config.problems`) into a page in words with its status:

       @page("oncall.view_schedule")            # GET and HEAD; "somewhere" is enough, see oncall/roles.py
       def schedules(request: Person) -> HttpResponse:
           rows = access.visible(request.user, Schedule.objects.select_related("team"))
           return show(request, "oncall/schedules.html", {"schedules": rows}, title="Schedules")

       @page("oncall.change_schedule", methods=("POST",))    # what changes something is POST, with CSRF
       def rename(request: Person, uuid: UUID) -> HttpResponse:
           schedule = get_object_or_404(access.visible(request.user, Schedule.objects.all()), uuid=uuid)
           demand(request, "oncall.change_schedule", schedule)          # the right on this row
           ...
           return redirect("console-schedules")     # what happened, by `messages`, only if the page does not show it

2. A route in the floor's own `console_urls.py` or `urls.py`, named `console-...` (the sidebar below names them; an item
   whose route is missing is left out), and included by `config/urls.py` before the admin site.
3. A template that extends "console/page.html" and fills `page_body`; `page_actions` (buttons beside the heading),
   `page_help` (a folded explanation) and `page_head` (more <link> or <script src>) are there if wanted.
   `{% load console %}` gives `{% when at %}` (how long ago, exact on hover or tap), `{% clock at %}`, `{% exact at %}`,
   `{% pill status %}`, `{% severity word %}`, `{% mark "bad" words %}` (good, warn, bad, quiet) and `{% icon name %}`.
   Includes: "console/empty.html" (title, text, href, action, icon), "console/form.html" (form, submit),
   "console/field.html" (field), "console/pager.html" (page, query). Classes: see static/console/console.css.
4. `now` is in every context. A live part is an element with `hx-get`, `hx-trigger="every 5s"` and `hx-swap="outerHTML"`
   whose view answers by `fragment(request, template, context, stamp=...)`: unchanged, it is a 304 that touches nothing.
   Scripts are files (the CSP has no room for inline ones); attributes do: `data-confirm`, `data-copy`, `data-once`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from urllib.parse import quote

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.module_loading import import_string
from unfold.sites import UnfoldAdminSite

from config import problems
from config.problems import Problem

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

P = ParamSpec("P")
BANNERS = "incidents.banners.banners"  # (user, now) -> [Banner]; the floors above are only named here
SAFE = ("GET", "HEAD")


class Person(HttpRequest):
    """A request of somebody who is signed in."""

    user: Any


View = Callable[Concatenate[Person, P], HttpResponse]


@dataclass(frozen=True)
class Item:
    """A line of the sidebar. `permission` holding somewhere is enough to see it; "" is for everybody."""

    title: str
    route: str
    icon: str
    permission: str = ""


SIDEBAR: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        "",
        (
            Item("Home", "home", "home"),
            Item("Incidents", "console-incidents", "notifications_active", "incidents.view_incident"),
            Item("Raw events", "console-raw-events", "receipt_long", "incidents.view_rawevent"),
        ),
    ),
    (
        "On call",
        (
            Item("Schedules", "console-schedules", "calendar_month", "oncall.view_schedule"),
            Item("Escalation policies", "console-policies", "stairs", "oncall.view_escalationpolicy"),
            Item("People", "console-people", "person", "oncall.view_user"),
            Item("Teams", "console-teams", "group", "oncall.view_team"),
        ),
    ),
    (
        "Alerting",
        (
            Item("Alert sources", "console-sources", "sensors", "incidents.view_alertsource"),
            Item("Alert destinations", "console-destinations", "send", "destinations.view_connector"),
            Item("Connections", "console-connections", "link", "incidents.view_connection"),
            Item("Deliveries", "console-deliveries", "outbox", "destinations.view_delivery"),
        ),
    ),
    (
        "Settings",
        (
            Item("API tokens", "console-tokens", "key", "oncall.view_token"),
            Item(
                "Jobs",
                "admin:django_celery_beat_periodictask_changelist",
                "schedule",
                "django_celery_beat.view_periodictask",
            ),
        ),
    ),
)


@dataclass(frozen=True)
class Banner:
    """What stands across the top of every page until it is mended."""

    text: str
    href: str = ""
    action: str = ""  # the words of the link


class ConsoleSite(UnfoldAdminSite):
    """Tocsin's pages for people."""

    site_header = site_title = "Tocsin"
    site_url = None
    login_template = "console/sign_in.html"
    login_form = AuthenticationForm
    final_catch_all_view = False  # unknown machine paths must answer JSON, not a login page

    def has_permission(self, request: HttpRequest) -> bool:
        """Whoever has an account comes in; each page asks for its own permission."""
        return request.user.is_active


def may(user: Any, permission: str) -> bool:
    """Whether a permission holds for at least some row of its model."""
    app, _, codename = permission.partition(".")
    return bool(user.has_perm(permission, apps.get_model(app, codename.partition("_")[2])))


def demand(request: HttpRequest, permission: str, thing: object) -> None:
    """Raise PermissionDenied, with what is missing, unless the person has this permission on this row."""
    if not request.user.has_perm(permission, thing):  # type: ignore[arg-type]
        raise PermissionDenied(permission)


def page(permission: str = "", *, methods: tuple[str, ...] = SAFE) -> Callable[[View[P]], View[P]]:
    """Make a view a page of the console: signed in, allowed, the right method, refusals in words. Never cached."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def answer(request: Person, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            try:
                if permission and not may(request.user, permission):
                    raise PermissionDenied(permission)
                response = view(request, *args, **kwargs)
            except (Problem, PermissionDenied, Http404, ValidationError) as exc:
                response = refuse(request, exc)
            if not response.has_header("Cache-Control"):
                add_never_cache_headers(response)
            return response

        return answer

    return decorate


def show(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, *, title: str, status: int = 200
) -> HttpResponse:
    """Answer with a page that extends "console/page.html"."""
    whole = {**admin.site.each_context(request), "title": title, "now": timezone.now(), **(context or {})}
    return TemplateResponse(request, template, whole, status=status).render()


def fragment(
    request: HttpRequest, template: str, context: Mapping[str, Any] | Callable[[], Mapping[str, Any]], *, stamp: object
) -> HttpResponse:
    """Answer with a live part of a page, or 304 if the browser has this stamp's. `context` may be made lazily."""
    tag = etag(request, stamp)
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponse(status=304)
    else:
        whole = context() if callable(context) else context
        response = render(request, template, {"now": timezone.now(), "tag": tag, **whole})
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response


def etag(request: HttpRequest, stamp: object) -> str:
    """Return the ETag of a live part; the page that holds it names it as `data-tag`: its first poll can be a 304."""
    return f'"{hashlib.sha256(repr((stamp, request.user.pk)).encode()).hexdigest()[:32]}"'


def refuse(request: HttpRequest, exc: Exception) -> HttpResponse:
    """Answer a refusal in words: what is wrong, what to do, where to go from here."""
    problem = problems.understood(exc)
    if problem is None:
        raise exc
    context = {"problem": problem, "missing": str(exc) if isinstance(exc, PermissionDenied) else ""}
    titles = {403: "Not yours to open", 404: "Nothing here"}
    return show(
        request,
        "console/refused.html",
        context,
        title=titles.get(problem.status, "That did not work"),
        status=problem.status,
    )


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    where = request.get_full_path() if request.method in SAFE else "/"
    address = f"{reverse('admin:login')}?next={quote(where)}"
    if request.headers.get("HX-Request"):  # a live part whose session ended: the whole page goes to sign in
        here = request.headers.get("HX-Current-URL", "/")
        path = "/" + here.split("/", 3)[3] if here.count("/") >= 3 else "/"
        address = f"{reverse('admin:login')}?next={quote(path)}"
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return redirect(address)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar for this person, in unfold's words."""
    groups = [{"title": title, "items": list(_lines(items, request)), "collapsible": False} for title, items in SIDEBAR]
    return [group for group in groups if group["items"]]


def account(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links behind a person's own name."""
    links = (("My page", "console-me"), ("Change password", "admin:password_change"))
    return [{"title": title, "link": address} for title, route in links if (address := _address(route))]


def emblem(request: HttpRequest) -> str:
    """Return the address of the bell."""
    return static("console/tocsin.svg")


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's own styles."""
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    """Return the address of the console's own script."""
    return static("console/console.js")


@page()
def live_banners(request: Person) -> HttpResponse:
    """`GET /banners/`: the banners as they are now; every page asks for them from time to time."""
    return render(request, "console/banners.html", {"banners": banners(request.user)})


def banners(user: "AbstractUser") -> list[Banner]:
    """Return what stands across every page for this person."""
    found: list[Banner] = import_string(BANNERS)(user, timezone.now())
    return found


def _lines(items: tuple[Item, ...], request: HttpRequest) -> Iterator[dict[str, Any]]:
    for item in items:
        address = _address(item.route)
        if address and (not item.permission or may(request.user, item.permission)):
            active = request.path == address if address == "/" else request.path.startswith(address)
            yield {"title": format_html("{}", item.title), "link": address, "icon": item.icon, "active": active}


def _address(route: str) -> str:
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""
