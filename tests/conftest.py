"""What every test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.engines.fixtures"]

# No test judges time: a busy machine is no fault of the code.
settings.register_profile("fleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleet")
