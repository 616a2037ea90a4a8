"""Airflow operators: context in, one s4c_lib call, ids and counts out."""
