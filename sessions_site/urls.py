"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from sessions_app.api.urls import api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("", include("sessions_app.web.urls")),
]
