"""The DAG factory, timetables, sensors and triggers."""
