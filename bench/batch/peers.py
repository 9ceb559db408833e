"""One peer of the batch bench: peers.py NAME FILE OUTPUT. Each as its manual would write it."""
import sys

COLUMNS = ["ts", "device", "temp"]
WORKERS = 2
BLOCK = 500_000  # rows that a process gets at once


def run_duckdb(path, output):
    import duckdb
    duckdb.sql(f"SET threads = {WORKERS}")
    duckdb.sql(f"""COPY (
        SELECT device, ts // 60000 * 60000 AS start, count(*) AS n, min(temp) AS low, max(temp) AS high,
               avg(temp) AS mean, quantile_disc(temp, 0.95) AS p95
        FROM read_csv('{path}', columns = {{'ts': 'BIGINT', 'device': 'VARCHAR', 'temp': 'DOUBLE',
                                            'hum': 'DOUBLE', 'pressure': 'DOUBLE'}}, header = true)
        GROUP BY ALL ORDER BY start, device) TO '{output}' (HEADER)""")


def run_polars(path, output):
    import polars as pl
    (pl.scan_csv(path).with_columns(start=pl.col("ts") // 60000 * 60000).group_by("device", "start")
     .agg(n=pl.len(), low=pl.col("temp").min(), high=pl.col("temp").max(), mean=pl.col("temp").mean(),
          p95=pl.col("temp").quantile(0.95, interpolation="nearest"))
     .sort("start", "device").collect().write_csv(output))


def grouped(frame):
    frame["start"] = frame["ts"] // 60000 * 60000
    return frame.groupby(["device", "start"])["temp"].apply(list)


def finish(parts, output):
    """The values of a group that several blocks have, together: p95 cannot be merged otherwise."""
    import pandas as pd
    groups = {}
    for part in parts:
        for key, values in part.items():
            groups.setdefault(key, []).extend(values)
    rows = []
    for (device, start), values in groups.items():
        values.sort()
        rows.append((device, start, len(values), values[0], values[-1], sum(values) / len(values),
                     values[-(-95 * len(values) // 100) - 1]))
    frame = pd.DataFrame(rows, columns=["device", "start", "n", "low", "high", "mean", "p95"])
    frame.sort_values(["start", "device"]).to_csv(output, index=False)


def blocks(path):
    import pandas as pd
    return pd.read_csv(path, usecols=COLUMNS, chunksize=BLOCK)


def run_pool(path, output):
    import multiprocessing
    with multiprocessing.Pool(WORKERS) as pool:
        finish(pool.imap(grouped, blocks(path)), output)


def run_joblib(path, output):
    import joblib
    finish(joblib.Parallel(n_jobs=WORKERS)(joblib.delayed(grouped)(block) for block in blocks(path)), output)


def run_dask(path, output):
    import dask
    import dask.dataframe as dd
    frame = dd.read_csv(path, usecols=COLUMNS)
    frame["start"] = frame["ts"] // 60000 * 60000
    with dask.config.set(scheduler="processes", num_workers=WORKERS):
        by = frame.groupby(["device", "start"])["temp"]
        simple = by.agg(["count", "min", "max", "mean"]).compute()
        # A quantile needs each group in one place.
        p95 = by.apply(lambda values: values.quantile(0.95, interpolation="nearest"),
                       meta=("p95", "f8")).compute()
    simple.join(p95).reset_index().to_csv(output, index=False)


def run_ray(path, output):
    import ray
    ray.init(num_cpus=WORKERS, log_to_driver=False, include_dashboard=False)
    task = ray.remote(grouped)
    finish(ray.get([task.remote(block) for block in blocks(path)]), output)


if __name__ == "__main__":
    globals()["run_" + sys.argv[1]](sys.argv[2], sys.argv[3])
