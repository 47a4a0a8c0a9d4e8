//! Closing a connection without losing the last answer.
//!
//! A server that answers before it has read a request's body (401, 413, 429) and then closes its socket makes the
//! kernel send a reset, which throws away the answer that the client had not read yet. So the sending half is closed
//! first, and what still arrives is read and dropped for a moment. Between two requests nothing is on its way, and a
//! server that stops need not wait for clients that keep their connections for later.
//!
//! A client that leaves its answer unread for too long is given up, so that it cannot keep a download's place for ever.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::limits::UNREAD_TIME_MAX;
use crate::meters::Meters;

/// How long a client may take to notice the answer.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes read and dropped at most.
const DROPPED_MAX: usize = 64 * 1024 * 1024;

/// A stream whose shutdown lingers, unless all that the client has sent was read as requests.
pub(crate) struct Lingering<S> {
    stream: S,
    unread: Unread,
    meters: Arc<Meters>,
    /// Since when nothing that was written is taken any more: until then it may go on.
    stuck_until: Option<Pin<Box<Sleep>>>,
    closing: Option<Closing>,
}

/// Whether the client has begun a request that was not read to its end. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unread(Arc<AtomicBool>);

impl Unread {
    fn set(&self, unread: bool) {
        self.0.store(unread, Ordering::Relaxed);
    }

    /// The body of a request on this connection.
    pub(crate) fn body<B: Body>(&self, body: B) -> Noted<B> {
        let noted = Noted {
            body,
            unread: self.clone(),
        };
        noted.note(false);
        noted
    }
}

/// A body that tells its connection when it was read to its end.
#[derive(Debug)]
pub(crate) struct Noted<B> {
    body: B,
    unread: Unread,
}

impl<B: Body> Noted<B> {
    fn note(&self, ended: bool) {
        if ended || self.body.is_end_stream() {
            self.unread.set(false);
        }
    }
}

impl<B: Body + Unpin> Body for Noted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.note(frame.is_none());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Debug)]
struct Closing {
    until: Pin<Box<Sleep>>,
    dropped: usize,
}

impl<S> Lingering<S> {
    /// Wraps a connection.
    pub(crate) fn new(stream: S, unread: Unread, meters: Arc<Meters>) -> Self {
        Self {
            stream,
            unread,
            meters,
            stuck_until: None,
            closing: None,
        }
    }
}

impl<S> Lingering<S> {
    /// Counts what was written, and gives up a client that takes nothing for too long.
    fn note_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.stuck_until = None;
            if let Ok(bytes) = &written {
                self.meters.sent_bytes.inc_by(*bytes as u64);
            }
            return Poll::Ready(written);
        }
        let until = self
            .stuck_until
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(UNREAD_TIME_MAX)));
        ready!(until.as_mut().poll(context));
        // Nobody is there to be waited for when the connection is closed.
        self.unread.set(false);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.unread.set(true);
            self.meters.received_bytes.inc_by(read as u64);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if !this.unread.0.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let closing = this.closing.get_or_insert_with(|| Closing {
            until: Box::pin(tokio::time::sleep(LINGER)),
            dropped: 0,
        });
        let mut storage = [0; 16 * 1024];
        while closing.until.as_mut().poll(context).is_pending() && closing.dropped < DROPPED_MAX {
            let mut buffer = ReadBuf::new(&mut storage);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => closing.dropped += buffer.filled().len(),
                // The client has closed its half as well, or is gone.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn an_answer_arrives_though_the_request_was_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let stream = listener.accept().await.unwrap().0;
            let mut stream = Lingering::new(stream, Unread::default(), Arc::new(Meters::new()));
            stream.read_exact(&mut [0; 10]).await.unwrap();
            stream.write_all(b"no").await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let mut client = TcpStream::connect(address).await.unwrap();
        for _ in 0..200 {
            client.write_all(&[0; 16 * 1024]).await.unwrap();
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "no");
        drop(client);
        server.await.unwrap();
    }

    /// Whether closing is over at once, though the client keeps its half open.
    async fn closes_at_once(request: &str, reads_body: bool) -> bool {
        let (mut client, stream) = tokio::io::duplex(4096);
        let unread = Unread::default();
        let shared = unread.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let body = shared.body(request.into_body());
            async move {
                if reads_body {
                    body.collect().await.unwrap();
                }
                Ok::<_, Infallible>(hyper::Response::new(String::from("answer")))
            }
        });
        let stream = TokioIo::new(Lingering::new(stream, unread, Arc::new(Meters::new())));
        let mut connection = pin!(http1::Builder::new().serve_connection(stream, service));
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        tokio::select! {
            ended = connection.as_mut() => panic!("{ended:?}"),
            read = client.read(&mut answer) => assert!(answer[..read.unwrap()].ends_with(b"answer")),
        }
        connection.as_mut().graceful_shutdown();
        connection.now_or_never().is_some()
    }

    #[tokio::test]
    async fn only_a_client_that_may_still_be_sending_is_waited_for() {
        let whole = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
        assert!(closes_at_once(whole, true).await);
        assert!(closes_at_once("GET / HTTP/1.1\r\nHost: x\r\n\r\n", false).await);
        let begun = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\nbo";
        assert!(!closes_at_once(begun, false).await);
    }
}
