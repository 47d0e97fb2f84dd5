"""The ASGI application: HTTP by Django; WebSockets come with live pages."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from sessions_site.workers import KeptThreads

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sessions_site.settings")

application = ProtocolTypeRouter({"http": KeptThreads(get_asgi_application())})
