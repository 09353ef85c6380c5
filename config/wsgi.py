"""The web server's entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from config import web
from config.bodies import WithLength
from config.machines import MachineHandler, by_door

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
web.begin_worker()
application = by_door(people=get_wsgi_application(), machines=MachineHandler())
if settings.TRUSTED_PROXIES:
    application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=settings.TRUSTED_PROXIES)
application = WithLength(application, most=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
