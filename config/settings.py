"""The only settings file. Every environment variable is read here; docs/reference/settings.md lists them all."""

import base64
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url

from config import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("TOCSIN_DATA_DIR", BASE_DIR / "data")
VERSION = "0.1.0"

# --- Secrets -------------------------------------------------------------------------------------------------------
SECRET_KEY = env.kept_secret("TOCSIN_SECRET_KEY", DATA_DIR / "secret-key")
FIELD_KEYS = env.kept_secret(
    "TOCSIN_FIELD_KEYS", DATA_DIR / "field-keys", lambda: base64.urlsafe_b64encode(os.urandom(32)).decode()
).split(",")
ADMIN_PASSWORD = env.text("TOCSIN_ADMIN_PASSWORD")
ADMIN_TOKEN = env.text("TOCSIN_ADMIN_TOKEN")

# --- Where it is seen ----------------------------------------------------------------------------------------------
DEBUG = env.flag("TOCSIN_DEBUG", False)
HOST = env.text("TOCSIN_HOST", "127.0.0.1")  # the address the web server listens on
PORT = env.integer("PORT", 8000)
PUBLIC_URL = env.text("TOCSIN_PUBLIC_URL").rstrip("/") or f"http://127.0.0.1:{PORT}"
HTTPS = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = [
    *{
        urlsplit(PUBLIC_URL).hostname or "127.0.0.1",
        "127.0.0.1",
        "localhost",
        "[::1]",
        *env.words("TOCSIN_ALLOWED_HOSTS"),
    }
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES = env.words("TOCSIN_TRUSTED_PROXIES")  # whose X-Forwarded-For is believed
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SECURE_SSL_REDIRECT = False  # the proxy's business; machines must never be redirected
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
APPEND_SLASH = False  # both spellings are routed: a redirect would lose a POST

# --- Applications --------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # its default would put its own site in place of ours
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.apps.ConsoleConfig",  # django.contrib.admin with our site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_celery_beat",
    "config.apps.ConfigConfig",
    "destinations.apps.DestinationsConfig",
    "oncall.apps.OncallConfig",
    "incidents.apps.IncidentsConfig",
]
MIDDLEWARE = [
    "config.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.PersonalTimeZone",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- Database ------------------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'tocsin.sqlite3'}"
DATABASE: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL, conn_max_age=None, conn_health_checks=True))
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a DEFERRED reader that wants to write fails at once, whatever the timeout
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA cache_size=-20000;",
    }
    DATABASE["CONN_HEALTH_CHECKS"] = False
elif env.integer("TOCSIN_DATABASE_POOL", 0):  # connections of one process in all; the web server's threads share them
    DATABASE["CONN_MAX_AGE"] = 0
    DATABASE["OPTIONS"] = {
        **DATABASE.get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": env.integer("TOCSIN_DATABASE_POOL", 0), "timeout": 10},
    }
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People --------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "oncall.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "oncall.roles.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- The web server ------------------------------------------------------------------------------------------------
WEB_WORKERS = env.integer("TOCSIN_WEB_WORKERS", 1, least=1)  # processes
WEB_THREADS = env.integer("TOCSIN_WEB_THREADS", 80, least=1)  # of each; 64 events may wait for the one writer

# --- The engine ----------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL")  # set: workers and beat do the work, and web nodes wake them
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 60}  # Redis hands an unfinished task out again after this
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # seconds until a change in the console counts
CELERY_TASK_ACKS_LATE = CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None  # there are none to clean up
CELERY_TASK_SOFT_TIME_LIMIT, CELERY_TASK_TIME_LIMIT = (
    50,
    55,
)  # below the visibility time-out: no task runs beside itself
CELERY_TASK_DEFAULT_QUEUE = "tocsin"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
ENGINE_SOCKET = DATA_DIR / "engine.sock"  # where the embedded engine is woken
SEND_THREADS = env.integer("TOCSIN_SEND_THREADS", 8, least=1)  # for pages, and as many again for everything else
CONNECTOR_CONCURRENCY = env.integer("TOCSIN_CONNECTOR_CONCURRENCY", 2, least=1)  # sends at once to one connector
PAGE_TIMEOUT = timedelta(seconds=10)
CONNECTOR_TIMEOUT = timedelta(seconds=15)
SEND_LEASE = timedelta(seconds=30)
ALLOW_PRIVATE_ADDRESSES = env.networks("TOCSIN_ALLOW_PRIVATE_ADDRESSES")
CA_BUNDLE = env.text("TOCSIN_CA_BUNDLE")  # a PEM file with your own certificate authority
SWITCH_OFF_MIN_ATTEMPTS = env.integer("TOCSIN_SWITCH_OFF_MIN_ATTEMPTS", 10)
SWITCH_OFF_MIN_DELIVERIES = env.integer("TOCSIN_SWITCH_OFF_MIN_DELIVERIES", 3)
SWITCH_OFF_MIN_MINUTES = env.integer("TOCSIN_SWITCH_OFF_MIN_MINUTES", 60)
HEARTBEAT_URL = env.text("TOCSIN_HEARTBEAT_URL")  # called each minute while the engine is well
RAW_EVENT_DAYS = env.integer("TOCSIN_RAW_EVENT_DAYS", 30, least=1)
DELIVERY_DAYS = env.integer("TOCSIN_DELIVERY_DAYS", 90, least=1)

# --- Mail ----------------------------------------------------------------------------------------------------------
EMAIL_URL = env.text("EMAIL_URL")  # smtp://, smtp+tls:// or smtps://user:password@host:port
DEFAULT_FROM_EMAIL = env.text("TOCSIN_MAIL_FROM") or f"Tocsin <tocsin@{urlsplit(PUBLIC_URL).hostname or 'localhost'}>"

# --- REST ----------------------------------------------------------------------------------------------------------
REQUIRE_IDEMPOTENCY_KEY = env.flag("TOCSIN_REQUIRE_IDEMPOTENCY_KEY", False)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["oncall.tokens.TokenAuthentication", "config.access.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["config.access.HasScopedPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["config.wire.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.wire.AlwaysJson",
    "DEFAULT_PAGINATION_CLASS": "config.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "config.schema.ProblemAutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["config.access.CallerThrottle"],
    "DEFAULT_VERSIONING_CLASS": None,
    "EXCEPTION_HANDLER": "config.problems.answer_problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tocsin",
    "DESCRIPTION": "Incident management and on-call. Errors are problem+json (RFC 9457), lists are cursor-paged.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "sourceKey": {"type": "http", "scheme": "bearer", "description": "The key of an alert source."}
        }
    },
    "ENUM_NAME_OVERRIDES": {
        "DayEnum": "oncall.document.DAYS",
        "EventOutcomeEnum": "incidents.models.RawEvent.Outcome",
        "AttemptOutcomeEnum": ["sent", "retry", "rejected", "unknown"],
        "BulkOutcomeEnum": "incidents.api.bulk.OUTCOMES",
        "SeverityEnum": "incidents.models.Severity",
    },
}

# --- The console's look (config/console.py) ------------------------------------------------------------------------
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Tocsin",
    "SITE_HEADER": "Tocsin",
    "SITE_URL": None,
    "SITE_ICON": "config.console.emblem",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.console.emblem"}],
    "STYLES": ["config.console.stylesheet"],
    "SCRIPTS": ["config.console.script"],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "SIDEBAR": {"navigation": "config.console.navigation"},
    "ACCOUNT": {"navigation": "config.console.account"},
    "COLORS": {  # colour means state; what can be pressed is a quiet blue
        "primary": {
            "50": "oklch(97% .012 250)",
            "100": "oklch(93.5% .025 250)",
            "200": "oklch(87% .05 250)",
            "300": "oklch(79% .085 250)",
            "400": "oklch(71% .11 251)",
            "500": "oklch(65% .13 252)",
            "600": "oklch(48% .13 254)",
            "700": "oklch(43% .12 255)",
            "800": "oklch(37% .1 256)",
            "900": "oklch(31% .08 257)",
            "950": "oklch(24% .06 258)",
        }
    },
}
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "console/locked.html"

# --- Texts, times, files -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = True
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"}}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("TOCSIN_LOG_LEVEL", "INFO").upper()},
    "loggers": {"axes": {"level": "WARNING"}, "celery": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}
