"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application

from config.supervisor import SUPERVISED, follow_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if SUPERVISED in os.environ:
    follow_parent()  # the server's own parent may be killed, too
application = get_wsgi_application()
