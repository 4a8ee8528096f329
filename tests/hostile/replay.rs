//! Runs the fuzz targets on the seeds and on the inputs that once caused a failure.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/mod.rs"]
mod targets;

#[test]
fn stored_fuzzer_inputs_cause_no_failure() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for (name, run) in targets::TARGETS {
        let mut count = 0;
        for kind in ["seeds", "found"] {
            let Ok(folder) = fs::read_dir(fuzz.join(kind).join(name)) else { continue };
            for file in folder {
                let path = file.unwrap().path();
                println!("{}", path.display());
                run(&fs::read(path).unwrap());
                count += 1;
            }
        }
        assert!(count >= 2, "{name} has {count} inputs");
    }
}
