use crate::content::testing::records;

#[test]
fn the_document_in_its_language_and_the_name_of_the_job() {
    let job = b"\x1b%-12345X@PJL\r\n@PJL JOB NAME=\"Wristband MRN: H77123 Name: Roe, Jane\"\r\n\
        @PJL SET USERNAME=\"ward3\"\r\n@PJL ENTER LANGUAGE = POSTSCRIPT\r\n\
        %!PS\n/Times-Roman findfont 10 scalefont setfont 9 9 moveto (Patient: Ito, Ken  MRN: 8812) show showpage\n\x04\
        \x1b%-12345X@PJL EOJ\r\n\x1b%-12345X";
    assert_eq!(
        records("", job),
        [
            "http>pjl>postscript:~postscript [PatientContext] name=Ito, Ken patient_id=8812",
            "http>pjl:~pjl [PatientContext] patient_id=H77123 name=Roe, Jane",
        ]
    );
}

#[test]
fn a_document_without_a_language() {
    let job = b"\x1b%-12345X\x1bEPatient: Ito, Ken\r\nMRN: 8812\r\n\x1bE\x1b%-12345X";
    assert_eq!(
        records("", job),
        ["http>pjl>pcl:~pcl [PatientContext] name=Ito, Ken patient_id=8812"]
    );
}

#[test]
fn settings_are_silent() {
    let job = b"\x1b%-12345X@PJL SET RESOLUTION=600\r\n@PJL INFO STATUS\r\n@PJL COMMENT driver build 3.1\r\n\x1b%-12345X";
    assert_eq!(records("", job), [""; 0]);
}
