"""When things run: pure functions of season dates, schedules and a given today."""
