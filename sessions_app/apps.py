"""The Django application, and its admin."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate, pre_migrate


class SessionsConfig(AppConfig):
    name = "sessions_app"
    label = "forklore"
    verbose_name = "Forklore"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sessions_app import search_rebuild, space  # their models are not there any earlier

        pre_migrate.connect(space.before_migrate, sender=self)
        # Django remakes tables in migrations, and knows nothing of what is not a model.
        post_migrate.connect(search_rebuild.after_migrate, sender=self)


class AdminOfSuperusers(AdminConfig):
    default_site = "sessions_app.web.admin_site.AdminSite"
