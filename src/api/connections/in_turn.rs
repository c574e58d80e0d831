//! A stream whose requests reach the parser one at a time: the next begins when the one before is answered.
//!
//! actix reads all heads that it has at once, some kilobytes each, while a request is being answered, and waits for ever for the end of a
//! head that is not the first. So what is sent ahead stays in the socket, but for what was read with the end of a request.

use super::connection::Connection;
use super::framing::Framing;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Heads of this size need no place.
const SHORT_HEAD_BYTES: usize = 8 * 1024;
/// What is read ahead to see whether the sender is gone.
const LOOK_AHEAD_BYTES: usize = 512;

/// A stream and how far it has come.
pub struct InTurn<S> {
    stream: S,
    connection: Rc<Connection>,
    framing: Framing,
    /// What was read of the next request.
    ahead: Vec<u8>,
    patience: Duration,
    /// When a head that is not the first has to be whole.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + Unpin> InTurn<S> {
    /// A new stream; its heads have so much time (`patience`).
    pub fn new(stream: S, connection: Rc<Connection>, patience: Duration) -> Self {
        Self {
            stream,
            connection,
            framing: Framing::default(),
            ahead: Vec::new(),
            patience,
            deadline: None,
        }
    }

    /// What is known of it.
    pub fn connection(&self) -> &Rc<Connection> {
        &self.connection
    }

    fn has_to_wait(&self) -> bool {
        self.framing.is_broken() || self.framing.is_between() && self.connection.is_busy()
    }

    /// Nothing for the parser now; the end of the stream is told all the same.
    fn look_ahead(&mut self, context: &mut Context) -> Poll<Result<()>> {
        if self.ahead.is_empty() {
            let mut bytes = [0; LOOK_AHEAD_BYTES];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.ahead.extend_from_slice(buffer.filled());
            self.keep_place()?;
        }
        self.connection.wake_after_answer(context);
        Poll::Pending
    }

    /// From what was read ahead, then from the stream.
    fn read(&mut self, context: &mut Context, buffer: &mut ReadBuf) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let some = self.ahead.len().min(buffer.remaining());
        if some > 0 {
            buffer.put_slice(&self.ahead[..some]);
            self.ahead.drain(..some);
            if self.ahead.is_empty() {
                self.ahead = Vec::new();
            }
        } else {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        }
        let passed = self.framing.pass(&buffer.filled()[before..]);
        let end = before + passed.bytes;
        if end < buffer.filled().len() {
            self.ahead
                .splice(..0, buffer.filled()[end..].iter().copied());
            buffer.set_filled(end);
            self.keep_place()?;
        }
        if passed.ends_head {
            self.connection.hand_over();
            self.deadline = None;
        }
        Poll::Ready(Ok(()))
    }

    /// An unfinished head has its time, and a long one needs a place. (The first has its time from actix, which answers 408.)
    fn watch_head(&mut self, context: &mut Context) -> Result<()> {
        if self.framing.head_bytes() == 0 && !self.framing.is_broken() {
            return Ok(());
        }
        if self.framing.head_bytes() > SHORT_HEAD_BYTES {
            self.keep_place()?;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(self.patience)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn keep_place(&self) -> Result<()> {
        let has_one = self.connection.keep_place();
        has_one
            .then_some(())
            .ok_or_else(|| Error::from(ErrorKind::ConnectionAborted))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InTurn<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        this.watch_head(context)?;
        if this.has_to_wait() {
            return this.look_ahead(context);
        }
        this.read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InTurn<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        parts: &[IoSlice],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
