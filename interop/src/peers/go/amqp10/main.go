// What go-amqp does as a client of an AMQP 1.0 broker:
//
//	go run . <url> <address> <wrong password url>
//
// Exits with 0 when all held; else it says on standard error what did not.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/Azure/go-amqp"
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func equal(got, wanted any, what string) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		check(fmt.Errorf("%v where %v was expected", got, wanted), what)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	url, address := os.Args[1], os.Args[2]
	conn, err := amqp.Dial(ctx, url, nil)
	check(err, "dial")
	session, err := conn.NewSession(ctx, nil)
	check(err, "session")

	// Messages are accepted, and come back in order with their parts.
	sender, err := session.NewSender(ctx, address, nil)
	check(err, "sender")
	for i := 0; i < 100; i++ {
		subject := "s"
		message := amqp.NewMessage([]byte(fmt.Sprintf("m%d", i)))
		message.Properties = &amqp.MessageProperties{Subject: &subject, CorrelationID: uint64(i)}
		message.ApplicationProperties = map[string]any{"number": int64(i), "text": "t"}
		message.Header = &amqp.MessageHeader{Durable: true, Priority: 7}
		check(sender.Send(ctx, message, nil), "send")
	}
	receiver, err := session.NewReceiver(ctx, address, &amqp.ReceiverOptions{Credit: 10})
	check(err, "receiver")
	for i := 0; i < 100; i++ {
		message, err := receiver.Receive(ctx, nil)
		check(err, "receive")
		equal(string(message.GetData()), fmt.Sprintf("m%d", i), "body")
		equal(*message.Properties.Subject, "s", "subject")
		equal(message.Properties.CorrelationID, i, "correlation-id")
		equal(message.ApplicationProperties["number"], i, "application property")
		equal(message.Header.Priority, 7, "priority")
		check(receiver.AcceptMessage(ctx, message), "accept")
	}

	// What is released comes again, modified counts, rejected does not come again.
	check(sender.Send(ctx, amqp.NewMessage([]byte("x")), nil), "send")
	message, err := receiver.Receive(ctx, nil)
	check(err, "receive")
	check(receiver.ReleaseMessage(ctx, message), "release")
	message, err = receiver.Receive(ctx, nil)
	check(err, "receive")
	check(receiver.ModifyMessage(ctx, message, &amqp.ModifyMessageOptions{DeliveryFailed: true}), "modify")
	message, err = receiver.Receive(ctx, nil)
	check(err, "receive")
	equal(message.Header.DeliveryCount, 1, "delivery count")
	check(receiver.RejectMessage(ctx, message, nil), "reject")
	check(receiver.Close(ctx), "close")

	// A selector brings what matches.
	selective, err := session.NewReceiver(ctx, address, &amqp.ReceiverOptions{
		Credit:  10,
		Filters: []amqp.LinkFilter{amqp.NewSelectorFilter("colour = 'red'")},
	})
	check(err, "selective receiver")
	for _, colour := range []string{"blue", "red"} {
		message := amqp.NewMessage([]byte(colour))
		message.ApplicationProperties = map[string]any{"colour": colour}
		check(sender.Send(ctx, message, nil), "send")
	}
	message, err = selective.Receive(ctx, nil)
	check(err, "receive by selector")
	equal(string(message.GetData()), "red", "selected")

	// A megabyte in frames of 4 KiB.
	small, err := amqp.Dial(ctx, url, &amqp.ConnOptions{MaxFrameSize: 4096})
	check(err, "dial")
	other, err := small.NewSession(ctx, nil)
	check(err, "session")
	large := make([]byte, 1<<20)
	for i := range large {
		large[i] = byte(i * 7)
	}
	to, err := other.NewSender(ctx, address+"-large", nil)
	check(err, "sender")
	check(to.Send(ctx, amqp.NewMessage(large), nil), "send a megabyte")
	from, err := other.NewReceiver(ctx, address+"-large", nil)
	check(err, "receiver")
	message, err = from.Receive(ctx, nil)
	check(err, "receive a megabyte")
	equal(string(message.GetData()) == string(large), true, "a megabyte")
	check(from.AcceptMessage(ctx, message), "accept")
	check(small.Close(), "close")

	// What there is not is refused with its condition.
	_, err = session.NewSender(ctx, "/queues/none", nil)
	if err == nil {
		check(fmt.Errorf("it was taken"), "a queue that there is not")
	}
	check(conn.Close(), "close")
	fmt.Println("all held")
}
