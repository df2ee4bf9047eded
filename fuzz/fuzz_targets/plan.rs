#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = embarca_testkit::fuzz::find("plan").expect("it is in the list");
    (target.run)(data);
});
