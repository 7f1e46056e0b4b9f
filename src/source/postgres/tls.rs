//! TLS to a database, with what libpq's `sslmode` and `sslrootcert` ask for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::config::SslMode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::source::postgres::error::PostgresError;

/// How sure it must be whom we talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Plain text.
    Disable,
    /// TLS where the server has it, with whom it may be.
    Prefer,
    /// TLS, with whom it may be.
    Require,
    /// A certificate of an authority that is trusted.
    Authority,
    /// One that names the host too.
    Host,
}

/// What TLS is asked for.
#[derive(Clone, Debug)]
pub(super) struct TlsRequest {
    trust: Trust,
    authorities: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl TlsRequest {
    /// Takes the parameters about TLS out of those of a connection.
    pub(super) fn take(
        parameters: &mut BTreeMap<String, String>,
        home: Option<&Path>,
    ) -> Result<Self, PostgresError> {
        let of_home = |name: &str| {
            let path = home?.join(".postgresql").join(name);
            path.exists().then_some(path)
        };
        let mut take = |name: &str| parameters.remove(name).map(PathBuf::from);
        let root = take("sslrootcert");
        let is_system = root.as_deref() == Some(Path::new("system"));
        let authorities = root.filter(|_| !is_system);
        let authorities = authorities.or_else(|| of_home("root.crt").filter(|_| !is_system));
        let chain = take("sslcert").or_else(|| of_home("postgresql.crt"));
        let key = take("sslkey").or_else(|| of_home("postgresql.key"));
        let trust = match parameters.remove("sslmode").as_deref() {
            None if is_system => Trust::Host,
            None | Some("prefer" | "allow") => Trust::Prefer,
            Some("disable") => Trust::Disable,
            // With authorities at hand libpq asks them.
            Some("require") if authorities.is_some() => Trust::Authority,
            Some("require") => Trust::Require,
            Some("verify-ca") => Trust::Authority,
            Some("verify-full") => Trust::Host,
            Some(_) => {
                let text = "`sslmode` is one of disable, allow, prefer, require, verify-ca, \
                            verify-full";
                return Err(PostgresError::Configuration(text.to_owned()));
            }
        };
        Ok(Self {
            trust,
            authorities,
            client: chain.zip(key),
        })
    }

    /// Returns what the client asks the server.
    pub(super) fn mode(&self) -> SslMode {
        match self.trust {
            Trust::Disable => SslMode::Disable,
            Trust::Prefer => SslMode::Prefer,
            Trust::Require | Trust::Authority | Trust::Host => SslMode::Require,
        }
    }

    /// Returns what makes TLS of a connection.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, PostgresError> {
        let wrong = |error: Error| PostgresError::Configuration(format!("TLS: {error}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.verifier(provider)?));
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unreadable(key, &error.to_string()))?;
                let chain = certificates(chain)?;
                builder.with_client_auth_cert(chain, key).map_err(wrong)?
            }
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Verifier, PostgresError> {
        let (asks, named) = match self.trust {
            Trust::Disable | Trust::Prefer | Trust::Require => (None, Vec::new()),
            Trust::Authority | Trust::Host => {
                let named = self.authorities.as_deref().map(certificates).transpose()?;
                let named = named.unwrap_or_default();
                let roots = Arc::new(self.roots(&named)?);
                let of = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
                let verifier = of.build().map_err(|error| {
                    PostgresError::Configuration(format!("TLS: {error}; name it by sslrootcert"))
                })?;
                (Some(verifier), named)
            }
        };
        Ok(Verifier {
            provider,
            asks,
            named,
            needs_name: self.trust == Trust::Host,
        })
    }

    /// Returns the authorities: those named, or those of the system where none are to be named.
    fn roots(&self, named: &[CertificateDer<'static>]) -> Result<RootCertStore, PostgresError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.authorities else {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            return Ok(roots);
        };
        for certificate in named {
            roots
                .add(certificate.clone())
                .map_err(|error| unreadable(path, &error.to_string()))?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PostgresError> {
    let pem = fs::read(path).map_err(|error| unreadable(path, &error.to_string()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(unreadable(path, "no certificate in PEM in it")),
    }
}

fn unreadable(path: &Path, reason: &str) -> PostgresError {
    PostgresError::Configuration(format!("`{}`: {reason}", path.display()))
}

/// Asks authorities where that is wanted; signatures are always checked.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    asks: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates in the file of authorities, of which the server's own may be one.
    named: Vec<CertificateDer<'static>>,
    needs_name: bool,
}

impl Verifier {
    /// Returns what is said of a certificate that signs itself and is named as it is: libpq takes
    /// it, and the verifier does not since it may sign others.
    fn verify_itself(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
    ) -> Result<ServerCertVerified, Error> {
        if self.needs_name {
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(asks) = &self.asks else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified =
            asks.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let is_other_name = |error: &Error| {
            let Error::InvalidCertificate(reason) = error else {
                return false;
            };
            let name = CertificateError::NotValidForName;
            *reason == name || matches!(reason, CertificateError::NotValidForNameContext { .. })
        };
        match verified {
            Err(error) if !self.needs_name && is_other_name(&error) => {
                Ok(ServerCertVerified::assertion())
            }
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.named.contains(end_entity) =>
            {
                self.verify_itself(end_entity, server_name)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
