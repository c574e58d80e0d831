//! A stream whose requests reach the parser one at a time: the next begins when the one before is answered.
//!
//! actix reads all heads that it has at once, some kilobytes each, while a request is being answered, and waits for ever for the end of a
//! head that is not the first. So what is sent ahead stays in the socket, but for what was read with the end of a request.

use super::connection::Connection;
use super::framing::Framing;
use std::io::{IoSlice, Result};
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
    /// There was no place for what was read of the next request.
    has_no_place: bool,
    patience: Duration,
    /// When a head has to be whole, or a body that nobody waits for.
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
            has_no_place: false,
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
        while self.ahead.is_empty() && !self.has_no_place {
            let mut bytes = [0; LOOK_AHEAD_BYTES];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.keep_ahead(buffer.filled());
        }
        self.connection.wake_after_answer(context);
        Poll::Pending
    }

    /// Keeps what was read of a next request, before what was kept; empty lines are none.
    fn keep_ahead(&mut self, bytes: &[u8]) {
        let bytes = without_empty_lines(bytes);
        if !bytes.is_empty() && !self.connection.keep_place() {
            self.has_no_place = true;
            self.ahead = Vec::new();
        } else {
            self.ahead.splice(..0, bytes.iter().copied());
        }
    }

    /// From what was read ahead, then from the stream.
    fn read(&mut self, context: &mut Context, buffer: &mut ReadBuf) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        while buffer.filled().len() == before {
            if ready!(self.read_some(context, buffer))? == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.framing.is_between() {
                let bytes = without_empty_lines(&buffer.filled()[before..]).len();
                let end = buffer.filled().len();
                buffer.filled_mut().copy_within(end - bytes.., before);
                buffer.set_filled(before + bytes);
            }
        }
        self.pass(before, buffer);
        Poll::Ready(Ok(()))
    }

    /// Reads some bytes; how many they are.
    fn read_some(&mut self, context: &mut Context, buffer: &mut ReadBuf) -> Poll<Result<usize>> {
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
        Poll::Ready(Ok(buffer.filled().len() - before))
    }

    /// Leaves in the buffer what the parser may have of what was read into it.
    fn pass(&mut self, before: usize, buffer: &mut ReadBuf) {
        let passed = self.framing.pass(&buffer.filled()[before..]);
        let mut end = before + passed.bytes;
        if passed.is_crumbled {
            // No digit: the parser refuses the body, and its reader answers.
            buffer.filled_mut()[end] = b'!';
            end += 1;
        } else if end < buffer.filled().len() {
            self.keep_ahead(&buffer.filled()[end..]);
        }
        buffer.set_filled(end);
        if passed.ends_head {
            self.connection.hand_over();
        }
        if passed.ends_head || self.framing.is_between() {
            self.deadline = None;
        }
    }

    /// True where the connection gets no more: an unfinished head has its time, and a long one needs a place; and so has what is left of a
    /// body after the answer. (The first head has its time from actix too, which answers 408.)
    fn is_over(&mut self, context: &mut Context) -> bool {
        let is_left = self.framing.is_in_body() && !self.connection.is_busy();
        if self.framing.head_bytes() == 0 && !self.framing.is_broken() && !is_left {
            return false;
        }
        if self.framing.head_bytes() > SHORT_HEAD_BYTES && !self.connection.keep_place() {
            return true;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(context).is_ready()
    }

    /// No bytes where it is over: what is being answered is answered first.
    fn poll_bytes(&mut self, context: &mut Context, buffer: &mut ReadBuf) -> Poll<Result<()>> {
        if self.is_over(context) {
            return Poll::Ready(Ok(()));
        }
        if self.has_to_wait() {
            return self.look_ahead(context);
        }
        if self.has_no_place {
            return Poll::Ready(Ok(()));
        }
        let polled = self.read(context, buffer);
        if polled.is_pending() && self.framing.is_in_body() && self.connection.is_busy() {
            // What is left of the body then has its time.
            self.connection.wake_after_answer(context);
        }
        polled
    }
}

/// Servers ignore empty lines before a request (RFC 9112, section 2.2).
fn without_empty_lines(bytes: &[u8]) -> &[u8] {
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    &bytes[begin.unwrap_or(bytes.len())..]
}

impl<S: AsyncRead + Unpin> AsyncRead for InTurn<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<Result<()>> {
        self.get_mut().poll_bytes(context, buffer)
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
