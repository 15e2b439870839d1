//! Roles of hosts, as traffic proves them.

use crate::closed_set::closed_set;
use crate::rules::ServiceKind;

closed_set! {
    /// Role of a host (`phi.asset.role`).
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Role {
        /// Stores or serves DICOM objects.
        Pacs = "pacs",
        /// Answers modality worklist queries.
        Worklist = "worklist-server",
        /// Prints DICOM films.
        DicomPrinter = "dicom-printer",
        /// Another DICOM acceptor.
        DicomServer = "dicom-server",
        /// Sends DICOM objects, as modalities do.
        Modality = "modality",
        /// Another DICOM requestor: a workstation, a router.
        DicomClient = "dicom-client",
        /// Accepts HL7 messages.
        Hl7Interface = "hl7-interface",
        /// Sends HL7 messages.
        Hl7Sender = "hl7-sender",
        /// Serves FHIR.
        FhirServer = "fhir-server",
        /// Serves DICOM over HTTP.
        DicomwebServer = "dicomweb-server",
        /// Another HTTP server.
        WebServer = "web-server",
        /// Searches an index over HTTP.
        SearchIndex = "search-index",
        /// Answers queries of a database over HTTP.
        Database = "database",
        /// Stores objects in buckets.
        ObjectStore = "object-store",
        /// Stores health records.
        HealthRecords = "health-records",
        /// Forwards messages.
        IntegrationEngine = "integration-engine",
        /// Receives results of laboratory analysers (ASTM E1394).
        LabInterface = "lab-interface",
        /// Accepts mail.
        MailServer = "mail-server",
        /// Accepts or serves files.
        FileServer = "file-server",
        /// Any other server.
        Server = "server",
    }
}

impl Role {
    /// Whether only medical systems have it.
    pub const fn is_medical(self) -> bool {
        !matches!(
            self,
            Self::WebServer
                | Self::SearchIndex
                | Self::Database
                | Self::ObjectStore
                | Self::MailServer
                | Self::FileServer
                | Self::Server
        )
    }

    /// The role of a host that shows such an interface.
    pub const fn of_interface(kind: ServiceKind) -> Self {
        match kind {
            ServiceKind::Directory => Self::FileServer,
            ServiceKind::Bucket => Self::ObjectStore,
            ServiceKind::SearchIndex => Self::SearchIndex,
            ServiceKind::Database => Self::Database,
            ServiceKind::Fhir => Self::FhirServer,
            ServiceKind::Dicomweb => Self::DicomwebServer,
            ServiceKind::Pacs => Self::Pacs,
            ServiceKind::Ehr => Self::HealthRecords,
            ServiceKind::IntegrationEngine => Self::IntegrationEngine,
        }
    }
}

/// The roles of both ends of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roles {
    /// Of the server.
    pub server: Role,
    /// Of the client, if the flow shows one.
    pub client: Option<Role>,
}

impl Roles {
    /// Only the server's role is known.
    pub const fn server(server: Role) -> Self {
        Self { server, client: None }
    }
}
