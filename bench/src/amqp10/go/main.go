// go-amqp as a contender of `bench amqp10`: it is started, told what to do and asked for its figures as the contenders in Node are.
//
//	main <ignored> <plan as JSON>
//
// The channel to the parent is Node's: the file descriptor that NODE_CHANNEL_FD names, one line of JSON for each message.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
)

type plan struct {
	Work struct {
		Is         string `json:"is"`
		IsAnswered bool   `json:"isAnswered"`
	} `json:"work"`
	Size   int `json:"size"`
	Port   int `json:"port"`
	Counts struct {
		Warmup   int `json:"warmup"`
		Measured int `json:"measured"`
		Tail     int `json:"tail"`
	} `json:"counts"`
}

type result struct {
	StartNs   int64    `json:"startNs"`
	MarkNs    int64    `json:"markNs"`
	CpuMicros int64    `json:"cpuMicros"`
	MaxRssKib int64    `json:"maxRssKib"`
	P50Us     *float64 `json:"p50Us"`
	P99Us     *float64 `json:"p99Us"`
}

func main() {
	parent := openParent()
	if len(os.Args) != 3 {
		parent.fault(fmt.Errorf("%d arguments where 2 were expected", len(os.Args)-1))
	}
	var todo plan
	if err := json.Unmarshal([]byte(os.Args[2]), &todo); err != nil {
		parent.fault(err)
	}
	figures, err := measure(parent, todo)
	if err != nil {
		parent.fault(err)
	}
	parent.send(message{Type: "result", Data: figures})
	parent.untilGone()
}

func measure(parent *parent, todo plan) (result, error) {
	session, err := open(todo)
	if err != nil {
		return result{}, err
	}
	var figures result
	if todo.Work.Is == "publish" {
		figures, err = measurePublish(parent, session, todo)
	} else {
		figures, err = measureReceive(parent, session, todo)
	}
	if err != nil {
		return result{}, err
	}
	return figures, session.close()
}

func measurePublish(parent *parent, session *session, todo plan) (result, error) {
	counts := todo.Counts
	parent.announce(counts.Warmup, counts.Warmup)
	if err := session.publish(0, counts.Warmup); err != nil {
		return result{}, err
	}
	parent.next("done")
	parent.announce(counts.Measured+counts.Tail, counts.Measured)
	usage := startUsage()
	if err := session.publish(counts.Warmup, counts.Measured+counts.Tail); err != nil {
		return result{}, err
	}
	return usage.stop(parent.nextNumber("done")), nil
}

func measureReceive(parent *parent, session *session, todo plan) (result, error) {
	counts := todo.Counts
	if err := session.subscribe(); err != nil {
		return result{}, err
	}
	parent.announce(counts.Warmup, counts.Warmup)
	if _, err := session.receive(0, counts.Warmup, counts.Warmup, thorough); err != nil {
		return result{}, err
	}
	parent.next("done")
	usage := startUsage()
	parent.announce(counts.Measured+counts.Tail, counts.Measured)
	receivedMarkNs, err := session.receive(counts.Warmup, counts.Measured+counts.Tail, counts.Measured, quick)
	if err != nil {
		return result{}, err
	}
	doneMarkNs := parent.nextNumber("done")
	// With outcomes the clock stops when the server has the last one; without, the server cannot know.
	if todo.Work.IsAnswered {
		return usage.stop(doneMarkNs), nil
	}
	return usage.stop(receivedMarkNs), nil
}

// What the process had used when a measurement began.
type usage struct {
	cpuMicros int64
	startNs   int64
}

func startUsage() usage {
	return usage{cpuMicros: cpuMicros(resources()), startNs: nowNs()}
}

func (before usage) stop(markNs int64) result {
	now := resources()
	return result{
		StartNs:   before.startNs,
		MarkNs:    markNs,
		CpuMicros: cpuMicros(now) - before.cpuMicros,
		MaxRssKib: int64(now.Maxrss),
	}
}

func resources() syscall.Rusage {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return used
}

func cpuMicros(used syscall.Rusage) int64 {
	return (used.Utime.Nano() + used.Stime.Nano()) / 1_000
}
