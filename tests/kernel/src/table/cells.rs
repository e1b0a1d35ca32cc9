//! The tables of system calls and of faults: every row of [`chestnut_abi::behaviour`] in every situation.
//!
//! A cell is a test of its own. Its name is the row's and the situation's: in the guest the cell is found by the name of the test, on the host the test
//! `coverage` compares the cells' names with the list of tests, so that neither can be without the other.

use chestnut_abi::behaviour::{FAULTS, FaultKind, Receiving, SYSTEM_CALLS, Sending, SystemCall};

/// Where a sending phase sends to, and whether somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    EndpointWithReceiver,
    EndpointWithoutReceiver,
    NotificationWithWaiter,
    NotificationWithoutWaiter,
    ReplyWithCaller,
    ReplyWithoutCaller,
}

/// Where a receiving phase receives from, and whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    EndpointWithSender,
    EndpointWithCaller,
    EndpointWithoutSender,
    NotificationWithSignal,
    NotificationWithoutSignal,
    /// An endpoint, by a thread with a bound notification.
    EndpointWithBoundSignal,
    EndpointWithoutBoundSignal,
}

/// Who else could run while a system call is made that neither sends nor receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// A thread of the same priority.
    Another,
    Nobody,
}

/// How a fault is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    /// As many words as the reply may have, each other than it was.
    Registers,
    Label,
    /// The handler receives the fault and does no more.
    Never,
    /// The thread has no handler.
    NoHandler,
}

const TO: [(To, &str); 6] = [
    (To::EndpointWithReceiver, "to_an_endpoint_with_a_receiver"),
    (To::EndpointWithoutReceiver, "to_an_endpoint_without_a_receiver"),
    (To::NotificationWithWaiter, "to_a_notification_with_a_waiter"),
    (To::NotificationWithoutWaiter, "to_a_notification_without_a_waiter"),
    (To::ReplyWithCaller, "to_a_reply_object_with_a_caller"),
    (To::ReplyWithoutCaller, "to_a_reply_object_without_a_caller"),
];

const FROM: [(From, &str); 7] = [
    (From::EndpointWithSender, "from_an_endpoint_with_a_sender"),
    (From::EndpointWithCaller, "from_an_endpoint_with_a_caller"),
    (From::EndpointWithoutSender, "from_an_endpoint_without_a_sender"),
    (From::NotificationWithSignal, "from_a_notification_with_a_signal"),
    (From::NotificationWithoutSignal, "from_a_notification_without_a_signal"),
    (From::EndpointWithBoundSignal, "from_an_endpoint_with_a_bound_signal"),
    (From::EndpointWithoutBoundSignal, "from_an_endpoint_without_a_bound_signal"),
];

const BESIDE: [(Beside, &str); 2] = [(Beside::Another, "beside_another_thread"), (Beside::Nobody, "beside_nobody")];

const ANSWERS: [(Answer, &str); 5] = [
    (Answer::Nothing, "answered_with_nothing"),
    (Answer::Registers, "answered_with_registers"),
    (Answer::Label, "answered_with_a_label"),
    (Answer::Never, "that_is_not_answered"),
    (Answer::NoHandler, "without_a_handler"),
];

/// What a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Send(SystemCall, Sending, To),
    Receive(SystemCall, Receiving, From),
    Plain(SystemCall, Beside),
    Fault(FaultKind, Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub case: Case,
    /// Module of the test.
    pub table: &'static str,
    pub row: &'static str,
    pub column: &'static str,
}

impl Cell {
    /// Whether the test of this name, without its module, is this cell's.
    pub fn is_named(&self, name: &str) -> bool {
        name.strip_prefix(self.row).and_then(|rest| rest.strip_prefix('_')) == Some(self.column)
    }
}

/// ReplyRecv answers through a reply capability and nothing else.
fn is_possible(sending: Sending, to: To) -> bool {
    sending != Sending::Replies || matches!(to, To::ReplyWithCaller | To::ReplyWithoutCaller)
}

/// All cells of all tables.
pub fn cells() -> impl Iterator<Item = Cell> {
    let send =
        SYSTEM_CALLS.iter().flat_map(|call| call.sending.map(|sending| (call, sending))).flat_map(|(call, sending)| {
            TO.into_iter().filter(move |(to, _)| is_possible(sending, *to)).map(move |(to, column)| Cell {
                case: Case::Send(*call, sending, to),
                table: "sending",
                row: call.name,
                column,
            })
        });
    let receive = SYSTEM_CALLS.iter().flat_map(|call| call.receiving.map(|receiving| (call, receiving))).flat_map(
        |(call, receiving)| {
            FROM.into_iter().map(move |(from, column)| Cell {
                case: Case::Receive(*call, receiving, from),
                table: "receiving",
                row: call.name,
                column,
            })
        },
    );
    let plain = SYSTEM_CALLS.iter().filter(|call| call.sending.is_none() && call.receiving.is_none());
    let plain = plain.flat_map(|call| {
        BESIDE.into_iter().map(|(beside, column)| Cell {
            case: Case::Plain(*call, beside),
            table: "plain_calls",
            row: call.name,
            column,
        })
    });
    let faults = FAULTS.iter().flat_map(|fault| {
        ANSWERS.into_iter().map(|(answer, column)| Cell {
            case: Case::Fault(*fault, answer),
            table: "fault_replies",
            row: fault.name,
            column,
        })
    });
    send.chain(receive).chain(plain).chain(faults)
}
