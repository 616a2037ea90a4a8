"""The DAGs that belong to no season: synchronisation, retries and retention."""

# airflow: the DAGs are made by the factory
from s4c_airflow.global_dags import retention_dag, retries_dag, sync_dag

s4c__sync = sync_dag()
s4c__retries = retries_dag()
s4c__retention = retention_dag()
