"""Season DAGs, part 3 of 3: what the manifest says of the sites that fall to this file."""

# airflow: DAGs are made by the factory from the manifest
from s4c_airflow.dag_factory import season_dags

globals().update(season_dags(shard=2, shards=3))
