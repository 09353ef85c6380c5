"""The web server's entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import web
from config.bodies import WithLength

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
web.begin_worker()
application = WithLength(get_wsgi_application(), most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
