//! Whom to trust: the system's authorities, bundled ones where there are none, and the operator's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

/// A file of trusted authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file {} holds no readable certificate", path.display())]
pub struct CaFileError {
    /// The file.
    pub path: PathBuf,
    #[source]
    source: pem::Error,
}

/// A configuration that verifies every certificate; nothing turns that off.
pub(crate) fn client_config(ca_files: &[PathBuf]) -> Result<ClientConfig, CaFileError> {
    let mut roots = RootCertStore::empty();
    // Errors of single system files are no reason to fail: whatever is readable is trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in ca_files {
        let error = |source| CaFileError { path: path.clone(), source };
        let certificates = read(path).map_err(error)?;
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(error(pem::Error::NoItemsFound));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions");
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}
