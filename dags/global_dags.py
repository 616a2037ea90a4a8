"""The DAGs that belong to no season: synchronisation and retention."""

# airflow: the DAGs are made by the factory
from s4c_airflow.global_dags import retention_dag, sync_dag

s4c__sync = sync_dag()
s4c__retention = retention_dag()
