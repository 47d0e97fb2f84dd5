"""django-allauth's flow of OpenID Connect, with what it leaves out: the nonce, the signature, one issuer (decision 0017).

It is imported only where allauth is installed and an issuer is set. Of allauth's own pages, accounts and tables nothing
is used: it says who somebody is, and sessions_app/access/identities.py whether they may come in.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.contrib import auth
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from sessions_app.access import identities, user_sessions
from sessions_app.access.errors import NotLetIn
from sessions_app.access.identities import Word
from sessions_app.web import enter, openid
from sessions_site.configuration import OpenID, is_safe_issuer

ID = "openid"
TIMEOUT = 5  # seconds, of each question to the issuer
KNOWN_FOR = 600  # seconds, that what an issuer says of itself is not asked for again
LONGEST_SUBJECT = 255  # https://openid.net/specs/openid-connect-core-1_0.html#IDToken
# What an issuer says may be anything; allauth looks into it as if it were well formed.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ImproperlyConfigured)

logger = logging.getLogger(__name__)
_known: dict[str, tuple[float, dict[str, Any]]] = {}  # by issuer


def begin(request: HttpRequest, by: OpenID, address: str) -> HttpResponse:
    """A redirection to the issuer, or the page that says why not; `address` is where to go on to in the end."""
    user_sessions.forget_ended()
    nonce = secrets.token_urlsafe(32)

    def led_on() -> HttpResponse:
        provider = Provider(request, app=_application(by))
        return provider.redirect(request, "login", next_url=address, auth_params={"nonce": nonce}, nonce=nonce)

    return _answered(request, by, led_on)


def finish(request: HttpRequest, by: OpenID) -> HttpResponse:
    """What the issuer sent somebody back with: a session, a page that says why not, or one that asks the same again.

    Our cookie does not come along from another site, so without a state allauth answers with a page that sends the
    browser here once more, now from this one (templates/socialaccount/login_redirect.html).
    """
    view = OAuth2CallbackView.adapter_view(Flow(request, ID))
    return _answered(request, by, lambda: view(request))


class Flow(OpenIDConnectOAuth2Adapter):
    @property
    def openid_config(self) -> dict[str, Any]:
        """Of the issuer, who must be the one that was chosen: https://openid.net/specs/openid-connect-discovery-1_0.html"""
        issuer = self.get_provider().app.settings["server_url"]
        asked, known = _known.get(issuer, (0.0, {}))
        if not known or time.monotonic() - asked > KNOWN_FOR:
            known = super().openid_config
            if str(known.get("issuer")).rstrip("/") != issuer:
                raise OAuth2Error(f"{issuer} says that it is {known.get('issuer')}.")
            _known[issuer] = (time.monotonic(), known)
        return known

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("web:openid-callback"))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **answer: Any) -> SocialLogin:
        # allauth asks for no signature of a token that came from the issuer itself. We ask for one of any.
        self.did_fetch_access_token = False
        app.settings["fetch_userinfo"] = "userinfo_endpoint" in self.openid_config
        with _malformed_is_an_error():
            return super().complete_login(request, app, token, **answer)


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = Flow


class Adapter(DefaultSocialAccountAdapter):
    """By which allauth asks us (settings.SOCIALACCOUNT_ADAPTER)."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        return Provider(request, app=_application(_chosen()))

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """None of a table, which would be a second place to choose an issuer in."""
        return [_application(_chosen())]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def get_requests_session(self) -> requests.Session:
        return _Session()

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """All that comes after this is allauth's: accounts, addresses, signing up. So we answer here."""
        by = _chosen()
        with _malformed_is_an_error():
            word = _word(sociallogin, by)
        try:
            user = identities.let_in(word, by)
        except NotLetIn as why:
            raise ImmediateHttpResponse(openid.refused(request, 403, str(why), noted=True)) from why
        address = enter.own_address(sociallogin.state.get("next", ""))
        auth.login(request, user)  # under a new key, so that one that was planted is worthless
        user_sessions.begin(request.session)
        answer = HttpResponseRedirect(address)
        answer.status_code = 303
        raise ImmediateHttpResponse(answer)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        began_here = bool((extra_context or {}).get("state"))
        raise ImmediateHttpResponse(_failed(request, _chosen(), exception, noted=began_here))


class _Session(requests.Session):
    """Asks the issuer, by https unless it is on this machine, goes nowhere that it is sent on to, and does not wait long."""

    def request(self, method: Any, url: Any, *arguments: Any, **options: Any) -> requests.Response:
        if not is_safe_issuer(str(url).partition("?")[0]):
            raise requests.exceptions.InvalidURL(f"{url} is neither https nor on this machine.")
        return super().request(method, url, *arguments, **{**options, "allow_redirects": False, "timeout": TIMEOUT})


def _word(sociallogin: SocialLogin, by: OpenID) -> Word:
    """What the issuer says, where it says it to us and of this try. Raises OAuth2Error, and any of MALFORMED."""
    said = sociallogin.account.extra_data
    claims, more = said["id_token"], said.get("userinfo") or {}
    _check_nonce(claims, sociallogin.state["nonce"])
    if not isinstance(claims.get("exp"), int | float):
        raise OAuth2Error("The token does not say when it ends.")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else by.client) != by.client:
        raise OAuth2Error("The token was given to another program.")
    subject = claims["sub"]
    if not (isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT):
        raise OAuth2Error("The token does not say of whom it is.")
    if more and more.get("sub") != subject:
        raise OAuth2Error("The token and the userinfo are of two people.")
    source = claims if "email" in claims else more
    return Word(claims["iss"], subject, str(source.get("email") or ""), source.get("email_verified") is True)


def _check_nonce(claims: dict[str, Any], nonce: str) -> None:
    if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise OAuth2Error("The token is of another try: its nonce is another.")


@contextmanager
def _malformed_is_an_error() -> Iterator[None]:
    try:
        yield
    except MALFORMED as error:
        raise OAuth2Error(f"What the issuer sent is malformed: {type(error).__name__}.") from error


def _answered(request: HttpRequest, by: OpenID, ask: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return ask()
    except (*MALFORMED, OAuth2Error, requests.RequestException) as error:
        return _failed(request, by, error, noted=False)


def _failed(request: HttpRequest, by: OpenID, error: Exception | None, *, noted: bool) -> HttpResponse:
    if error:
        logger.warning("Signing in by OpenID failed: %s: %s", type(error).__name__, str(error)[:500])
    return openid.refused(request, 403, openid.did_not_work(by), noted=noted)


def _chosen() -> OpenID:
    by = identities.provider()
    if by is None:
        raise ImproperlyConfigured("There is no OpenID issuer.")
    return by


def _application(by: OpenID) -> SocialApp:
    """As allauth wants the settings. Without PKCE a code that leaked could be used by another."""
    settings = {"server_url": by.issuer, "oauth_pkce_enabled": True}
    return SocialApp(
        provider=Provider.id, provider_id=ID, name=by.name, client_id=by.client, secret=by.secret, settings=settings
    )
