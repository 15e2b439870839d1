#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| phitap_fuzz::dicom::pdus(data));
