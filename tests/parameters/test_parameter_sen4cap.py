"""A table ``config`` of Sen4CAP is translated, and nothing of it is lost without a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s4c_lib.parameters import REGISTRY
from s4c_lib.parameters.sen4cap import import_sen4cap

# The keys of operations.md 4.2; what stands in braces are alternatives.
KEYS = """
downloader.enabled downloader.{s1,s2,l8}.enabled {s1,s2,l8}.enabled downloader.{s1,S2,L8}.forcestart
downloader.{s1,S2,l8}.query.days.back downloader.start.offset downloader.max-cloud-coverage downloader.skip.existing
downloader.use.esa.l2a downloader.timeout downloader.query.{timeout,delay} downloader.{s2,l8}.max-retries
downloader.{s1,s2,l8}.write-dir primary.sensor scheduled.{lookup,retry,reports}.enabled scheduled.reports.interval
scheduled.object.storage.move.{enabled,deleteAfter,product.types} site.{upload-path,path,url}
general.{scratch-path,scratch-path.s4c_l4a} archiver.archive_path archiver.max_age.{l2a,l3b,s4c_l4a,s4c_l4b,s4c_l4c}
general.parcels_product.{parcel_id_col_name,parcels_csv_file_name_pattern,parcels_optical_file_name_pattern}
general.parcels_product.parcels_sar_file_name_pattern resources.working-mem general.inter-proc-com-type
executor.{listen-ip,listen-port,wrapper-path,wrp-timeout,resource-manager.name,module.path.gdal_translate}
orchestrator.http-server.listen-port http-listener.listen-port
executor.processor.l3b.{slurm_qos,slurm_partition,keep_job_folders}
general.orchestrator.{use_docker,docker_image,docker_add_mounts,s4c_l4a.docker_image}
orchestrator.check_ancestors.disabled monitor-agent.{disk-path,scan-interval} disk.monitor.interval
mail.{from,to,message.batch.limit} mail.smtp.{host,port,username,password,auth,starttls.enable}
processor.l2a.s2.implementation processor.l2a.maja.{gipp-path,remove-fre,remove-sre} processor.l2a.sen2cor.gipp-path
processor.l2a.optical.{output-path,num-workers,max-retries,retry-interval,compress-tiffs,cog-tiffs}
processor.l2a.{srtm-path,swbd-path,working-dir,processors_image,sen2cor_image,maja_image,gdal_image,l8_align_image}
processor.l2a_msk.enabled dem.name processor.fmask.enabled processor.fmask.optical.{threshold,num-workers,max-retries}
processor.l2s1.{enabled,parallelism,path,work.dir,temporal.offset,temporal.filter.interval,interval,acquisition.delay}
processor.l2s1.{polarisations,master,min.intersection,compute.amplitude,compute.coherence,process.newest,pixel.spacing}
processor.l2s1.{overwrite.existing,projection,crop.output,crop.nodata,extract.histogram,keep.intermediate,copy.locally}
processor.l2s1.{resolve.links,min.memory,min.disk,gpt.parallelism,gpt.tile.cache.size,step.timeout,output.format}
processor.l2s1.{join.amplitude.steps,join.coherence.steps,parallel.steps.enabled}
processor.lpis.{path,upload_path,lut_upload_path}
processor.l3b.filter.produce_{ndvi,lai,fapar,fcover,ndwi,brightness,in_domain_flags}
processor.l3b.{produce_mosaic,cloud_optimized_geotiff_output,generate_models,production_interval,l1c_availability_days}
processor.l3b.{reproc_production_interval,sched_wait_proc_inputs,scheduling_start_season_delay}
processor.l3b.lai.{use_inra_version,tiles_filter,laibandscfgfile,modelsfolder,rsrcfgfile,lut_path,use_lai_bands_cfg}
processor.l3b.lai.global_bv_samples_file
processor.s4c_l4a.{best-s2-pix,lc,min-node-size,min-s1-pix,min-s2-pix,mode,num-trees,pa-min,pa-train-h,pa-train-l}
processor.s4c_l4a.{sample-ratio-h,sample-ratio-l,smote-k,smote-target}
processor.s4c_l4b.{cfg_dir,cfg_upload_dir,default_config_path,start_date,end_date,input_amp,input_cohe,input_l3b}
processor.s4c_l4b.{input_product_types,s1_s2_startdate_diff,sub_steps,working_dir,s1_py_script,s2_py_script}
processor.s4c_l4c.{cfg_dir,cfg_upload_dir,country,practices,data_extr_dir,default_config_path,execution_operation}
processor.s4c_l4c.{filter_ids_path,markers_add_no_data_rows,nrt_data_extr_enabled,prds_per_group,sched_prds_hist_file}
processor.s4c_l4c.{sub_steps,tillage_monitoring,tsa_min_acqs_no,ts_input_tables_dir,ts_input_tables_upload_root_dir}
processor.s4c_l4c.use_prev_prd processor.s4c_mdb1.{mdb3_enabled,mdb3_input_tables,data_extr_dir,nrt_data_extr_enabled}
processor.s4c_mdb1.{ndvi,lai,fapar,fcover,amp,cohe,amp_vvvh,valid_pixels,minmax,median,p25,p75}_enabled
processor.s4c_mdb1.l2ab{02,03,04,05,06,07,08,8a,11,12}_enabled
processor.trex.{t-rex-container,t-rex-output-file} executor.processor.trex.slurm_qos
"""


def _spelled_out(pattern: str) -> list[str]:
    head, braces, rest = pattern.partition("{")
    if not braces:
        return [pattern]
    names, _, tail = rest.partition("}")
    return [head + name + end for name in names.split(",") for end in _spelled_out(tail)]


@pytest.mark.parametrize("pattern", KEYS.split())
def test_every_key_of_sen4cap_is_a_parameter_or_says_why_not(pattern: str) -> None:
    report = import_sen4cap([(key, None, "") for key in _spelled_out(pattern)])
    assert not [one for one in report.refused if "no parameter" in one.reason.lower()]
    assert all(one.reason for one in report.ignored)


def _value(key: str, value: str, site: int | None = None) -> dict[str, object]:
    return dict(import_sen4cap([(key, site, value)]).values(site))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("processor.s4c_l4a.num-trees", "500", {"processor.s4c_l4a.num-trees": 500}),
        ("downloader.S2.query.days.back", "15", {"downloader.s2.settle_days": 15}),
        (
            "downloader.max-cloud-coverage",
            "80",
            {f"downloader.{name}.max_cloud_coverage": 80 for name in ("s1", "s2", "l8")},
        ),
        ("downloader.use.esa.l2a", "true", {"processor.l2a.s2.implementation": "esa"}),
        ("archiver.archive_path", "/mnt/archive/{site}/{processor}/", {"storage.products_path": "/mnt/archive"}),
        (
            "general.scratch-path",
            "/mnt/archive/orchestrator_temp/{job_id}/{task_id}-{module}",
            {"general.scratch-path": "/mnt/archive/orchestrator_temp/{job_id}"},
        ),
        ("processor.l2a.optical.retry-interval", "1 day", {"processor.l2a.optical.retry-interval": 24.0}),
        ("processor.l2a.optical.retry-interval", "06:30:00", {"processor.l2a.optical.retry-interval": 6.5}),
        ("executor.processor.l2a.keep_job_folders", "1", {"executor.processor.l2a.keep_job_folders": True}),
        ("processor.l2s1.polarisations", "VV;VH", {"processor.l2s1.polarisations": ("VV", "VH")}),
        ("processor.l2s1.temporal.offset", "6", {"processor.l2s1.temporal.offset": "6"}),
        ("processor.l3b.filter.produce_lai", "0", {"processor.l3b.filter.produce_lai": False}),
        ("processor.s4c_l4b.input_product_types", "S2", {"processor.s4c_l4b.input_product_types": "S2"}),
        ("processor.s4c_l4c.practices", "CC,NFC,NA", {"processor.s4c_l4c.practices": ("CC", "NFC", "NA")}),
        ("processor.s4c_l4c.country", "cze", {"processor.s4c_l4c.country": "CZE"}),
        ("dem.name", "SRTM 3Sec", {"dem.source": "srtm_3s"}),
        ("mail.to", "a@b.eu;c@d.eu", {"notify.recipients": ("a@b.eu", "c@d.eu")}),
    ],
)
def test_values_are_translated(key: str, value: str, expected: dict[str, object]) -> None:
    assert _value(key, value) == expected


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("downloader.S2.forcestart", "true", "manual ingest run"),
        ("executor.processor.s4c_l4a.slurm_qos", "qoss4cl4a", "pools"),
        ("executor.processor.s4c_l4a.keep_job_folders", "1", "go when a task ends"),
        ("resources.working-mem", "1024", "pools.memory"),
        ("processor.s4c_mdb1.amp_vvvh_enabled", "true", "from the statistics of both"),
        ("processor.fmask.enabled", "0", "not run"),
        ("archiver.max_age.l2a", "5", "never applied"),
        ("downloader.s2.query.days.back", "0", "late publications"),
        ("downloader.use.esa.l2a", "false", "processor.l2a.s2.implementation"),
        ("processor.s4c_l4c.use_prev_prd", "1", "freeze_harvest"),
        ("processor.s4c_l4c.country", "CNTRY", "placeholder"),
        ("processor.s4c_l4b.input_amp", "N/A", "inputs of a job"),
        ("processor.l3b.lai.modelsfolder", "", "networks are fixed"),
        ("dem.name", "", "no value"),
        ("processor.l3a.weight.aot.max", "0.8", "not part of Sen4CAP"),
    ],
)
def test_what_has_no_effect_is_ignored_with_the_reason(key: str, value: str, reason: str) -> None:
    report = import_sen4cap([(key, None, value)])
    assert not report.accepted
    assert not report.refused
    assert reason in report.ignored[0].reason


@pytest.mark.parametrize(
    ("key", "site", "value", "reason"),
    [
        ("processor.s4c_l4a.num-trees", None, "0", "must be 1 to 5,000"),
        ("processor.s4c_l4a.num-tree", None, "300", "did you mean processor.s4c_l4a.num-trees"),
        ("downloader.s2.write-dir", 3, "/data", "cannot be set for a site"),
        ("processor.l2a.optical.retry-interval", None, "1 month", "must be a number"),
        ("processor.l2a.s2.implementation", None, "atcor", "must be one of esa"),
    ],
)
def test_what_someone_must_look_at_is_refused(key: str, site: int | None, value: str, reason: str) -> None:
    report = import_sen4cap([(key, site, value)])
    assert not report.accepted
    assert not report.ignored
    assert reason in report.refused[0].reason


def test_values_of_sites_and_of_all_sites_are_kept_apart() -> None:
    report = import_sen4cap([("downloader.s2.enabled", None, "true"), ("downloader.s2.enabled", 4, "false")])
    assert report.values() == {"downloader.s2.enabled": True}
    assert report.values(4) == {"downloader.s2.enabled": False}


@pytest.mark.parametrize("reverse", [False, True])
def test_ready_made_l2a_wins_over_the_processor_in_any_order_of_rows(reverse: bool) -> None:
    rows = [("downloader.use.esa.l2a", None, "true"), ("processor.l2a.s2.implementation", None, "maja")]
    report = import_sen4cap(list(reversed(rows)) if reverse else rows)
    assert report.values() == {"processor.l2a.s2.implementation": "esa"}
    assert report.ignored[0].reason == "downloader.use.esa.l2a sets processor.l2a.s2.implementation as well and wins"


_names = st.sampled_from(
    [name for one in REGISTRY for name in (one.key, *one.aliases)] + [one.pattern for one in REGISTRY.retired]
)


@given(
    st.lists(
        st.tuples(_names, st.none() | st.integers(1, 3), st.text(max_size=20) | st.sampled_from(["1", "true"])),
        max_size=20,
    )
)
def test_every_row_ends_in_the_report(rows: list[tuple[str, int | None, str]]) -> None:
    report = import_sen4cap(rows)
    reported = {(one.sen4cap_key, one.site) for one in (*report.accepted, *report.ignored, *report.refused)}
    assert {(name, site) for name, site, _ in rows} == reported
