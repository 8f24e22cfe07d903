package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

// A message between the processes of a benchmark; `relay` asks the parent to pass it on to the other child.
type message struct {
	Type  string `json:"type"`
	Relay bool   `json:"relay,omitempty"`
	Data  any    `json:"data,omitempty"`
}

type received struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// The process that started this one. Without it there is nothing to do: whatever goes wrong with it ends this process.
type parent struct {
	channel *os.File
	inbox   chan received
}

func openParent() *parent {
	number, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "this program is started by the benchmark")
		os.Exit(2)
	}
	p := &parent{channel: os.NewFile(uintptr(number), "parent"), inbox: make(chan received, 16)}
	go p.read()
	return p
}

// Takes messages until the parent goes, and then ends this process.
func (p *parent) read() {
	lines := bufio.NewScanner(p.channel)
	for lines.Scan() {
		var came received
		if err := json.Unmarshal(lines.Bytes(), &came); err != nil {
			p.fault(err)
		}
		p.inbox <- came
	}
	os.Exit(0)
}

// The data of the next message, which has to be of this type.
func (p *parent) next(kind string) json.RawMessage {
	came := <-p.inbox
	if came.Type != kind {
		p.fault(fmt.Errorf("%q came where %q was expected", came.Type, kind))
	}
	return came.Data
}

func (p *parent) nextNumber(kind string) int64 {
	var number float64
	if err := json.Unmarshal(p.next(kind), &number); err != nil {
		p.fault(err)
	}
	return int64(number)
}

// Tells the stub server what comes next and waits until it is ready for it.
func (p *parent) announce(count, mark int) {
	p.send(message{Type: "phase", Relay: true, Data: map[string]int{"count": count, "mark": mark}})
	p.next("ready")
}

func (p *parent) send(what message) {
	line, err := json.Marshal(what)
	if err == nil {
		_, err = p.channel.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Reports what went wrong and ends the process.
func (p *parent) fault(err error) {
	p.send(message{Type: "fault", Data: err.Error()})
	os.Exit(1)
}

// The parent ends this process when it has what it wants.
func (p *parent) untilGone() {
	select {}
}
