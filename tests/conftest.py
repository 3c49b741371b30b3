"""What every test may ask for."""

from hypothesis import HealthCheck, settings

from pipelines.main import stand_above

pytest_plugins = ["tests.engines.fixtures"]

# No test judges time: a busy machine is no fault of the code.
settings.register_profile("fleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleet")

stand_above()  # as the `fleet` script does: tests that call commands in this process see all of them
