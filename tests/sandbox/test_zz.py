def test_a(database, sample_database, run_dbt):
    assert database.rows("select kind from ops.warehouse") == [("REAL",)]
    assert sample_database.rows("select kind from ops.warehouse") == [("SAMPLE",)]
    r = run_dbt(database, "build")
    r = run_dbt(database, "build", "--select", "stocks")
    print(r.statuses())
def test_b(sample_database, run_dbt):
    run_dbt(sample_database, "build")
