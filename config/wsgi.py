"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application

from config import web

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
web.begin_worker()
application = get_wsgi_application()
