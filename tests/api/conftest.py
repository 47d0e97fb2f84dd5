from tests.web.conftest import stranger, visitor  # noqa: F401
