package main

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"github.com/Azure/go-amqp"
)

// Messages without an outcome that may be on their way, and the credit of a receiver.
const window = 1_000

const node = "bench"

// How closely received messages are looked at: every byte, or length, first and last.
type checking int

const (
	thorough checking = iota
	quick
)

// One connection, session and link, with go-amqp's default options but for the window.
type session struct {
	todo     plan
	payloads [][]byte
	socket   *net.TCPConn
	session  *amqp.Session
	sender   *amqp.Sender
	receiver *amqp.Receiver
}

var background = context.Background()

func open(todo plan) (*session, error) {
	socket, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: todo.Port})
	if err != nil {
		return nil, err
	}
	conn, err := amqp.NewConn(background, socket, nil)
	if err != nil {
		return nil, err
	}
	inner, err := conn.NewSession(background, nil)
	if err != nil {
		return nil, err
	}
	opened := &session{todo: todo, payloads: makePayloads(todo.Size), socket: socket, session: inner}
	if todo.Work.Is == "publish" {
		mode := amqp.SenderSettleModeSettled
		if todo.Work.IsAnswered {
			mode = amqp.SenderSettleModeUnsettled
		}
		opened.sender, err = inner.NewSender(background, node, &amqp.SenderOptions{SettlementMode: &mode})
	}
	return opened, err
}

// Sends `count` messages, the first with payload number `from` of the cycle; returns when each has its outcome.
func (s *session) publish(from, count int) error {
	if s.todo.Work.IsAnswered {
		return s.publishWindowed(from, count)
	}
	for index := from; index < from+count; index++ {
		if err := s.sender.Send(background, s.messageAt(index), nil); err != nil {
			return err
		}
	}
	return nil
}

// A receipt per message; a second goroutine waits for each, and the sending one for that where the window is full.
func (s *session) publishWindowed(from, count int) error {
	open := make(chan amqp.SendReceipt, window-2) // one more is waited for, and one was sent and waits for room
	outcome := make(chan error, 1)
	go func() {
		var first error
		for receipt := range open {
			state, err := receipt.Wait(background)
			if _, isAccepted := state.(*amqp.StateAccepted); err == nil && !isAccepted {
				err = fmt.Errorf("%T where a message should be accepted", state)
			}
			if first == nil {
				first = err
			}
		}
		outcome <- first
	}()
	var failure error
	for index := from; index < from+count && failure == nil; index++ {
		var receipt amqp.SendReceipt
		if receipt, failure = s.sender.SendWithReceipt(background, s.messageAt(index), nil); failure == nil {
			open <- receipt
		}
	}
	close(open)
	if failure != nil {
		return failure
	}
	return <-outcome
}

func (s *session) messageAt(index int) *amqp.Message {
	return amqp.NewMessage(s.payloads[index%len(s.payloads)])
}

func (s *session) subscribe() (err error) {
	s.receiver, err = s.session.NewReceiver(background, node, &amqp.ReceiverOptions{Credit: window})
	return err
}

// Receives `count` messages and accepts each where the row wants it; returns when message `mark` of them was there.
func (s *session) receive(from, count, mark int, closely checking) (markNs int64, err error) {
	for index := 1; index <= count; index++ {
		came, err := s.receiver.Receive(background, nil)
		if err != nil {
			return 0, err
		}
		if !isAsSent(came.GetData(), s.payloads[(from+index-1)%len(s.payloads)], closely) {
			return 0, fmt.Errorf("message %d has a wrong payload", from+index-1)
		}
		if index == mark {
			markNs = nowNs()
		}
		if s.todo.Work.IsAnswered {
			if err := s.receiver.AcceptMessage(background, came); err != nil {
				return 0, err
			}
		}
	}
	return markNs, nil
}

func isAsSent(came, sent []byte, closely checking) bool {
	if closely == thorough {
		return bytes.Equal(came, sent)
	}
	last := len(sent) - 1
	return len(came) == len(sent) && came[0] == sent[0] && came[last] == sent[last]
}

// Conn.Close does not wait for the server's close frame, and the answer to it would reset the connection: half of it is closed instead.
func (s *session) close() error {
	if err := s.session.Close(background); err != nil {
		return err
	}
	return s.socket.CloseWrite()
}
