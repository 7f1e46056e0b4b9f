//! One connection to one broker: versions, login, requests and their answers.

mod ask;
mod shape;
mod stream;
mod tls;

pub(super) use tls::TlsSettings;

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, RequestHeader, ResponseHeader, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::error::WireError;
use super::settings::Settings;
use ask::Ask;
use stream::{Stream, remaining};

/// A request whose answer is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    correlation_id: i32,
    version: i16,
}

/// One connection to one broker, logged in.
pub(super) struct Connection {
    settings: Arc<Settings>,
    stream: Stream,
    versions: BTreeMap<i16, (i16, i16)>,
    next_correlation_id: i32,
    /// When the broker will want a new login.
    expires: Option<Instant>,
    spare: Vec<u8>,
}

impl Connection {
    /// Connects, learns the broker's versions and logs in, all before `deadline`.
    pub(super) fn open(
        settings: &Arc<Settings>,
        (host, port): (&str, u16),
        deadline: Instant,
    ) -> Result<Self, WireError> {
        let deadline = deadline.min(Instant::now() + settings.setup_timeout);
        let stream = Stream::connect(host, port, settings.tls.as_ref(), deadline)?;
        let mut connection = Self {
            settings: Arc::clone(settings),
            stream,
            versions: BTreeMap::new(),
            next_correlation_id: 1,
            expires: None,
            spare: Vec::new(),
        };
        connection.learn_versions(deadline)?;
        connection.log_in(deadline)?;
        Ok(connection)
    }

    /// Returns a handle whose shutdown ends every wait on this connection.
    pub(super) fn handle(&self) -> Option<TcpStream> {
        self.stream.handle()
    }

    /// Returns whether the broker is about to want a new login.
    pub(super) fn is_expired(&self) -> bool {
        self.expires
            .is_some_and(|expires| Instant::now() >= expires)
    }

    /// Returns the newest version of a request, from `oldest` to `newest`, that both sides know.
    pub(super) fn version<R: Ask>(&self, oldest: i16, newest: i16) -> Result<i16, WireError> {
        let ours = R::VERSIONS;
        let (from, to) = self.versions.get(&R::KEY).copied().unwrap_or((0, -1));
        let version = to.min(newest).min(ours.max);
        if version >= from.max(oldest).max(ours.min) {
            return Ok(version);
        }
        let address = self.stream.address();
        Err(WireError::Refused(format!(
            "{address}: the broker speaks versions {from} to {to} of request {}, dupaudit \
             {oldest} to {newest}; Kafka 2.0 to 4 can be read",
            R::KEY
        )))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn call<R: Ask>(
        &mut self,
        request: &R,
        version: i16,
        deadline: Instant,
    ) -> Result<R::Answer, WireError> {
        let pending = self.send(request, version, deadline)?;
        let (response, bytes) = self.receive::<R>(pending, remaining(deadline))?;
        self.recycle(bytes);
        Ok(response)
    }

    /// Sends a request.
    pub(super) fn send<R: Ask>(
        &mut self,
        request: &R,
        version: i16,
        deadline: Instant,
    ) -> Result<Pending, WireError> {
        let pending = Pending {
            correlation_id: self.next_correlation_id,
            version,
        };
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1) & i32::MAX;
        let client_id = StrBytes::from_string(self.settings.client_id.clone());
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(pending.correlation_id)
            .with_client_id(Some(client_id));
        let mut frame = BytesMut::from([0; 4].as_slice());
        let encoded = header
            .encode(&mut frame, R::header_version(version))
            .and_then(|()| request.encode(&mut frame, version));
        encoded.map_err(|error| WireError::Protocol(format!("cannot be sent: {error}")))?;
        let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
        if let Some(prefix) = frame.first_chunk_mut::<4>() {
            *prefix = length.to_be_bytes();
        }
        self.stream.write(&frame, deadline)?;
        Ok(pending)
    }

    /// Waits for the answer to the oldest request without one. The bytes come along, to be
    /// given to [`Connection::recycle`] when the answer is no longer needed.
    pub(super) fn receive<R: Ask>(
        &mut self,
        pending: Pending,
        silence_max: Duration,
    ) -> Result<(R::Answer, Bytes), WireError> {
        let bytes = self.receive_frame(silence_max)?;
        let broken = |error: String| {
            let address = self.stream.address();
            WireError::Protocol(format!("{address}: an answer that is none: {error}"))
        };
        let mut rest = bytes.clone();
        // The correlation id comes first in every header; nothing else is read before it fits.
        let correlation_id = rest
            .clone()
            .try_get_i32()
            .map_err(|error| broken(error.to_string()))?;
        if correlation_id != pending.correlation_id {
            return Err(broken("it is for another request".to_owned()));
        }
        if !R::SHAPE.is_met(&rest, pending.version) {
            return Err(broken("its counts and lengths do not add up".to_owned()));
        }
        let header_version = R::Answer::header_version(pending.version);
        ResponseHeader::decode(&mut rest, header_version)
            .and_then(|_| R::Answer::decode(&mut rest, pending.version))
            .map(|response| (response, bytes))
            .map_err(|error| broken(error.to_string()))
    }

    /// Takes the memory of an answer back; what still refers to it prevents that.
    pub(super) fn recycle(&mut self, bytes: Bytes) {
        /// The memory of an answer that one large record made larger is given back.
        const SPARE_BYTES_MAX: usize = 64 << 20;
        if let Ok(unique) = bytes.try_into_mut()
            && unique.capacity() <= SPARE_BYTES_MAX
        {
            let mut spare = Vec::from(unique);
            spare.clear();
            self.spare = spare;
        }
    }

    fn receive_frame(&mut self, silence_max: Duration) -> Result<Bytes, WireError> {
        let mut prefix = Vec::with_capacity(4);
        self.stream.read(4, silence_max, &mut prefix)?;
        let prefix = prefix.first_chunk::<4>().copied().unwrap_or_default();
        let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
        let limit = self.settings.response_bytes_max;
        if length > limit || length < 4 {
            return Err(self.explain_prefix(prefix, length));
        }
        // An answer may be kept for long: it takes no much larger room than its own.
        let is_fitting = self.spare.capacity() / 2 <= length;
        let mut frame = if is_fitting {
            std::mem::take(&mut self.spare)
        } else {
            Vec::new()
        };
        self.stream.read(length, silence_max, &mut frame)?;
        Ok(Bytes::from(frame))
    }

    fn explain_prefix(&self, prefix: [u8; 4], length: usize) -> WireError {
        let address = self.stream.address();
        match prefix {
            [b'H', b'T', b'T', b'P'] => {
                WireError::Refused(format!("{address} answers with HTTP, it is no Kafka port"))
            }
            [0x15 | 0x16, 0x03, ..] => WireError::Refused(format!(
                "{address} answers with TLS; set security.protocol=SSL or SASL_SSL"
            )),
            _ => WireError::Protocol(format!(
                "{address}: an answer of {length} bytes, more than receive.message.max.bytes, \
                 or no answer of Kafka's"
            )),
        }
    }

    fn learn_versions(&mut self, deadline: Instant) -> Result<(), WireError> {
        // Version 0 is the one that every broker answers.
        let response = self.call(&ApiVersionsRequest::default(), 0, deadline);
        let response = response.map_err(|error| match error {
            WireError::Unreachable(text) if self.settings.tls.is_none() => WireError::Unreachable(
                format!("{text}; does the port want TLS (security.protocol=SSL or SASL_SSL)?"),
            ),
            error @ (WireError::Setting(_)
            | WireError::Refused(_)
            | WireError::Unreachable(_)
            | WireError::TimedOut(_)
            | WireError::Protocol(_)) => error,
        })?;
        let versions = response.api_keys.iter();
        self.versions = versions
            .map(|key| (key.api_key, (key.min_version, key.max_version)))
            .collect();
        Ok(())
    }

    fn log_in(&mut self, deadline: Instant) -> Result<(), WireError> {
        let settings = Arc::clone(&self.settings);
        let Some(sasl) = &settings.sasl else {
            return Ok(());
        };
        let mechanism = sasl.mechanism();
        let handshake =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let answer = self.call(
            &handshake,
            self.version::<SaslHandshakeRequest>(1, 1)?,
            deadline,
        )?;
        let address = self.stream.address().to_owned();
        if answer.error_code != 0 {
            let offered: Vec<_> = answer.mechanisms.iter().map(|name| &**name).collect();
            let offer = match offered.join(", ") {
                none if none.is_empty() => "none: does the port take logins at all?".to_owned(),
                some => some,
            };
            return Err(WireError::Refused(format!(
                "{address}: the broker does not accept the login {mechanism}, it offers {offer}"
            )));
        }
        let version = self.version::<SaslAuthenticateRequest>(0, 2)?;
        let mut lifetime_ms = 0;
        let begin = Instant::now();
        sasl.log_in(|message| {
            let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
            let answer = self.call(&request, version, deadline)?;
            if answer.error_code != 0 {
                let said = answer.error_message.as_deref().unwrap_or("no reason given");
                let text = format!("{address}: the broker refuses the {mechanism} login: {said}");
                return Err(WireError::Refused(text));
            }
            lifetime_ms = answer.session_lifetime_ms;
            Ok(answer.auth_bytes.to_vec())
        })?;
        // A new connection is made when most of the time is over.
        let lifetime_ms = u64::try_from(lifetime_ms).unwrap_or(0);
        self.expires =
            (lifetime_ms > 0).then(|| begin + Duration::from_millis(lifetime_ms - lifetime_ms / 5));
        Ok(())
    }
}
