//! TLS (RFC 8446, and TLS 1.2 for old clients): with a certificate that is given, read again when its files change, or
//! with one that the server makes for itself and keeps in the vault's state folder, so that what a browser was told to
//! trust once stays the same.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use compactvault_vault::{Digest, replace_private_file};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{DEFAULT_VERSIONS, ServerConfig};

/// The file of a certificate that was made here, with its key.
const OWN_FILE: &str = "tls.json";
/// How long such a certificate is valid: no longer than browsers accept from authorities of one's own.
const OWN_VALID: Duration = Duration::from_hours(820 * 24);
/// It is made again when it ends so soon.
const OWN_RENEWED_BEFORE: Duration = Duration::from_hours(30 * 24);
/// Clocks differ; a certificate is valid from so long ago.
const OWN_VALID_SINCE: Duration = Duration::from_hours(24);

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// From two PEM files: a chain, the server's own certificate first, and its key. They are read again when they
    /// change, as certificates that are renewed by themselves do.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key, in PKCS #8, PKCS #1 or SEC 1.
        key: PathBuf,
    },
    /// Made by this server for the names it answers to.
    SelfSigned,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Read {
        /// It.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} does not hold {what} in PEM form: {detail}", path = path.display())]
    NotPem {
        /// It.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Certificate and key are no pair, or of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {detail}")]
    Unusable {
        /// Why.
        detail: String,
    },
    /// A name cannot stand in a certificate.
    #[error("no certificate could be made: {detail}")]
    NotMade {
        /// Why.
        detail: String,
    },
    /// The certificate that was made cannot be kept.
    #[error("{path} cannot be written: {source}", path = path.display())]
    NotKept {
        /// Where it was to be kept.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What connections are encrypted with. Clones share it.
#[derive(Clone)]
pub(crate) struct Encryption {
    source: Arc<Tls>,
    current: Arc<Mutex<Current>>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// SHA-256 of the server's own certificate, in DER.
    fingerprint: Digest,
    /// SHA-256 of what it was read from.
    files: Option<Digest>,
}

/// A certificate of our own as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Own {
    certificate: String,
    key: String,
    names: Vec<String>,
    ends_unix_s: u64,
}

impl Encryption {
    /// Reads or makes the certificate. `folder` is where one that is made is kept, if anywhere, and `names` are what
    /// it is made for: host names and addresses. Blocks.
    pub(crate) fn new(
        source: Tls,
        folder: Option<&Path>,
        names: &[String],
    ) -> Result<Self, TlsError> {
        let current = match &source {
            Tls::Files { certificate, key } => of_files(certificate, key)?,
            Tls::SelfSigned => {
                let own = match folder {
                    Some(folder) => kept(&folder.join(OWN_FILE), names)?,
                    None => make(names)?,
                };
                let (chain, key) = own.parse()?;
                current(chain, key, None)?
            }
        };
        Ok(Self {
            source: Arc::new(source),
            current: Arc::new(Mutex::new(current)),
        })
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.lock().acceptor.clone()
    }

    /// What a person compares before trusting a certificate that nobody vouches for.
    pub(crate) fn fingerprint(&self) -> String {
        let digest = self.lock().fingerprint;
        let pairs: Vec<_> = digest
            .as_bytes()
            .iter()
            .map(|b| format!("{b:02X}"))
            .collect();
        pairs.join(":")
    }

    /// Whether the certificate was made by this server.
    pub(crate) fn is_self_signed(&self) -> bool {
        matches!(*self.source, Tls::SelfSigned)
    }

    /// Takes over files that have changed; `true` if so. What cannot be used leaves everything as it was. Blocks.
    pub(crate) fn renew(&self) -> Result<bool, TlsError> {
        let Tls::Files { certificate, key } = &*self.source else {
            return Ok(false);
        };
        let digest = Some(digest_of(&read(certificate)?, &read(key)?));
        if self.lock().files == digest {
            return Ok(false);
        }
        let new = of_files(certificate, key)?;
        *self.lock() = new;
        Ok(true)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Own {
    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let not_made = |error| TlsError::NotMade {
            detail: format!("{error}"),
        };
        let certificate =
            CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(not_made)?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(not_made)?;
        Ok((vec![certificate], key))
    }

    /// Whether it is valid for all names and for a while.
    fn is_good(&self, names: &[String], now: Duration) -> bool {
        names.iter().all(|name| self.names.contains(name))
            && now + OWN_RENEWED_BEFORE < Duration::from_secs(self.ends_unix_s)
    }
}

/// The certificate that is kept, or a new one in its place.
fn kept(path: &Path, names: &[String]) -> Result<Own, TlsError> {
    let found = std::fs::read(path).ok();
    // One that is not as it should be is of no use to anybody; another is made.
    let found = found.and_then(|bytes| serde_json::from_slice::<Own>(&bytes).ok());
    if let Some(own) = found.filter(|own| own.is_good(names, now()) && own.parse().is_ok()) {
        return Ok(own);
    }
    let own = make(names)?;
    let bytes = serde_json::to_vec_pretty(&own).expect("strings and numbers always serialise");
    replace_private_file(path, &bytes).map_err(|source| TlsError::NotKept {
        path: path.to_owned(),
        source,
    })?;
    Ok(own)
}

/// Makes a certificate (P-256) for these names and addresses.
fn make(names: &[String]) -> Result<Own, TlsError> {
    let not_made = |error: rcgen::Error| TlsError::NotMade {
        detail: error.to_string(),
    };
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "CompactVault");
    for name in names {
        params.subject_alt_names.push(match name.parse() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(name.as_str().try_into().map_err(not_made)?),
        });
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let ends = now() + OWN_VALID;
    params.not_before = (SystemTime::now() - OWN_VALID_SINCE).into();
    params.not_after = (SystemTime::UNIX_EPOCH + ends).into();
    let key = KeyPair::generate().map_err(not_made)?;
    let certificate = params.self_signed(&key).map_err(not_made)?;
    Ok(Own {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        names: names.to_vec(),
        ends_unix_s: ends.as_secs(),
    })
}

fn of_files(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let (chain_pem, key_pem) = (read(certificate)?, read(key)?);
    let not_pem = |path: &Path, what, detail: String| TlsError::NotPem {
        path: path.to_owned(),
        what,
        detail,
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain_pem).collect();
    let chain = chain.map_err(|error| not_pem(certificate, "certificates", error.to_string()))?;
    if chain.is_empty() {
        let detail = "there is none in it".to_owned();
        return Err(not_pem(certificate, "certificates", detail));
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|error| not_pem(key, "a private key", error.to_string()))?;
    current(chain, private, Some(digest_of(&chain_pem, &key_pem)))
}

fn current(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    files: Option<Digest>,
) -> Result<Current, TlsError> {
    let unusable = |error: tokio_rustls::rustls::Error| TlsError::Unusable {
        detail: error.to_string(),
    };
    let fingerprint = Digest::of(chain.first().map_or(&[], |own| own.as_ref()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Current {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        fingerprint,
        files,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn digest_of(certificate: &[u8], key: &[u8]) -> Digest {
    let parts = [Digest::of(certificate), Digest::of(key)];
    Digest::of(&[parts[0].as_bytes().as_slice(), parts[1].as_bytes()].concat())
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_certificate_of_our_own_stays_the_same_while_it_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let of = |names: &[String]| {
            let made = Encryption::new(Tls::SelfSigned, Some(dir.path()), names).unwrap();
            made.fingerprint()
        };
        let first = of(&names(&["localhost", "127.0.0.1", "::1"]));
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(of(&names(&["localhost"])), first);
        let wider = of(&names(&["localhost", "nas.local"]));
        assert_ne!(wider, first, "it was not made for that name");
        let path = dir.path().join(OWN_FILE);
        let mut own: Own = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        own.ends_unix_s = now().as_secs() + 1000;
        std::fs::write(&path, serde_json::to_vec(&own).unwrap()).unwrap();
        assert_ne!(of(&names(&["localhost"])), wider, "it ends soon");
        std::fs::write(&path, b"{").unwrap();
        of(&names(&["localhost"]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn files_are_read_again_when_they_change_and_kept_when_they_are_broken() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        let write = |own: &Own| {
            std::fs::write(&certificate, &own.certificate).unwrap();
            std::fs::write(&key, &own.key).unwrap();
        };
        let (one, two) = (
            make(&names(&["localhost"])).unwrap(),
            make(&names(&["localhost"])).unwrap(),
        );
        write(&one);
        let files = Tls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let encryption = Encryption::new(files, None, &[]).unwrap();
        let first = encryption.fingerprint();
        assert!(!encryption.renew().unwrap());
        write(&two);
        assert!(encryption.renew().unwrap());
        let second = encryption.fingerprint();
        assert_ne!(first, second);
        std::fs::write(&key, &one.key).unwrap();
        assert!(matches!(encryption.renew(), Err(TlsError::Unusable { .. })));
        std::fs::write(&certificate, "nothing").unwrap();
        assert!(matches!(encryption.renew(), Err(TlsError::NotPem { .. })));
        std::fs::remove_file(&certificate).unwrap();
        assert!(matches!(encryption.renew(), Err(TlsError::Read { .. })));
        assert_eq!(encryption.fingerprint(), second);
    }

    #[test]
    fn names_that_no_certificate_can_hold_are_refused() {
        let made = Encryption::new(Tls::SelfSigned, None, &names(&["böse"]));
        assert!(matches!(made, Err(TlsError::NotMade { .. })));
    }
}
