"""Sen4CAP without Airflow: everything that decides, reads and computes."""
