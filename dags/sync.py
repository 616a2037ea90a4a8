"""The DAG that keeps manifest, pools and jobs in line with the databases."""

# airflow: the DAG is made by the factory
from s4c_airflow.global_dags import sync_dag

s4c__sync = sync_dag()
