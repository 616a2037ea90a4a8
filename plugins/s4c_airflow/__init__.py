"""What Airflow is made of here: DAG factory, forms, timetables, assets, triggers that wait, pages of reports."""
