//! TLS to a broker: authorities, client certificate, and the name that the certificate must have.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};

use crate::source::kafka::Properties;

use crate::source::kafka::wire::error::WireError;

/// What TLS is set up from, once for all brokers.
#[derive(Debug)]
pub(in crate::source::kafka::wire) struct TlsSettings {
    config: Arc<ClientConfig>,
}

impl TlsSettings {
    /// Reads certificates and keys as the properties say.
    pub(in crate::source::kafka::wire) fn from_properties(
        properties: &Properties,
    ) -> Result<Self, WireError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| WireError::Setting(format!("TLS: {error}")))?
            .with_root_certificates(authorities(properties)?);
        let config = match client_certificate(properties)? {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| {
                WireError::Setting(format!("ssl.certificate and ssl.key: {error}"))
            })?,
        };
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Shakes hands with a broker over a connected socket whose timeouts are set.
    pub(super) fn connect(
        &self,
        host: &str,
        mut socket: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, WireError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            WireError::Setting(format!(
                "`{host}` is no host name that a certificate can have"
            ))
        })?;
        let mut session = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| WireError::Refused(format!("TLS: {error}")))?;
        while session.is_handshaking() {
            session
                .complete_io(&mut socket)
                .map_err(|error| explain(host, &error))?;
        }
        Ok(StreamOwned::new(session, socket))
    }
}

/// Says what an error within a TLS session means for the user.
pub(super) fn explain(host: &str, error: &io::Error) -> WireError {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let Some(inner) = inner else {
        let is_timeout = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        );
        return if is_timeout {
            WireError::TimedOut(format!("{host}: no answer to the TLS handshake"))
        } else {
            WireError::Unreachable(format!(
                "{host}: TLS: {error}; does the port speak TLS, as security.protocol=SSL asks?"
            ))
        };
    };
    WireError::Refused(if let Error::InvalidCertificate(reason) = inner {
        explain_certificate(host, reason)
    } else if let Error::InvalidMessage(_) = inner {
        format!("{host}: the port does not answer with TLS; is security.protocol right for it?")
    } else if let Error::AlertReceived(alert) = inner {
        format!(
            "{host}: the broker ends TLS with the alert {alert:?}; does it ask for a client \
             certificate (ssl.certificate.location, ssl.key.location)?"
        )
    } else {
        format!("{host}: TLS: {inner}")
    })
}

fn explain_certificate(host: &str, reason: &CertificateError) -> String {
    // A trusted authority of the same name with another key makes it a wrong signature.
    let is_unknown = matches!(
        reason,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    );
    if is_unknown {
        return format!(
            "{host}: the broker's certificate is from an authority that is not trusted here; \
             give it with ssl.ca.location=FILE.pem"
        );
    }
    format!("{host}: the broker's certificate is refused: {reason}")
}

fn authorities(properties: &Properties) -> Result<RootCertStore, WireError> {
    let mut store = RootCertStore::empty();
    if let Some(pem) = properties.get("ssl.ca.pem") {
        add_authorities(&mut store, "ssl.ca.pem", pem.as_bytes())?;
    }
    match properties.get("ssl.ca.location") {
        Some(location) if location != "probe" => {
            for path in certificate_files(Path::new(location))? {
                let place = format!("ssl.ca.location={}", path.display());
                add_authorities(&mut store, &place, &read(&place, &path)?)?;
            }
        }
        _ if !store.is_empty() => {}
        _ => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
        }
    }
    if store.is_empty() {
        let text = "no certificate authority is trusted here; give one with ssl.ca.location";
        return Err(WireError::Setting(text.to_owned()));
    }
    Ok(store)
}

fn add_authorities(store: &mut RootCertStore, place: &str, pem: &[u8]) -> Result<(), WireError> {
    let certificates = parse_certificates(place, pem)?;
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(WireError::Setting(format!("{place}: no certificate in it")));
    }
    Ok(())
}

fn client_certificate(
    properties: &Properties,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, WireError> {
    let certificate = pem_property(properties, "ssl.certificate")?;
    let key = pem_property(properties, "ssl.key")?;
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some((place, chain)), Some((key_place, key))) => {
            let chain = parse_certificates(&place, &chain)?;
            let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
                let text = "no private key in PEM, or one behind a password";
                WireError::Setting(format!("{key_place}: {text}"))
            })?;
            Ok(Some((chain, key)))
        }
        _ => Err(WireError::Setting(
            "a client certificate needs both ssl.certificate.location and ssl.key.location"
                .to_owned(),
        )),
    }
}

/// Returns where a PEM text comes from, and the text: from `NAME.pem` or the file `NAME.location`.
fn pem_property(
    properties: &Properties,
    name: &str,
) -> Result<Option<(String, Vec<u8>)>, WireError> {
    let direct = format!("{name}.pem");
    if let Some(pem) = properties.get(&direct) {
        return Ok(Some((direct, pem.as_bytes().to_vec())));
    }
    let Some(location) = properties.get(&format!("{name}.location")) else {
        return Ok(None);
    };
    let place = format!("{name}.location={location}");
    let text = read(&place, Path::new(location))?;
    Ok(Some((place, text)))
}

fn parse_certificates(place: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, WireError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| WireError::Setting(format!("{place}: no PEM: {error}")))
}

/// Returns the file, or the files of a folder of certificates.
fn certificate_files(location: &Path) -> Result<Vec<PathBuf>, WireError> {
    if !location.is_dir() {
        return Ok(vec![location.to_owned()]);
    }
    let unreadable = |error: io::Error| {
        WireError::Setting(format!("ssl.ca.location={}: {error}", location.display()))
    };
    let mut paths = Vec::new();
    for file in fs::read_dir(location).map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        let extension = path.extension().unwrap_or_default();
        if extension == "pem" || extension == "crt" {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(place: &str, path: &Path) -> Result<Vec<u8>, WireError> {
    fs::read(path).map_err(|error| WireError::Setting(format!("{place}: {error}")))
}
