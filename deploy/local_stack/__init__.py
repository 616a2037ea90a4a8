"""The whole system on one machine, without Docker: a private PostgreSQL and Airflow's four services.

``python -m deploy.local_stack up`` starts it detached, ``run -- COMMAND`` only for one command,
:func:`deploy.local_stack.postgres.private_postgres` and :func:`deploy.local_stack.airflow.local_airflow` for tests.
"""
