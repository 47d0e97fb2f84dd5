"""Says whether the server can reach its database."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from sessions_app import databases


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    with databases.connection().cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"ok": True})
