package main

const payloadCycle = 8

// The payloads of a benchmark: the first byte is the place in the cycle, the rest is noise, the same in every process.
func makePayloads(size int) [][]byte {
	payloads := make([][]byte, payloadCycle)
	for place := range payloads {
		payload := make([]byte, size)
		noise := uint32(0x9e3779b9) ^ uint32(place)
		for index := 1; index < size; index++ {
			noise ^= noise << 13
			noise ^= noise >> 17
			noise ^= noise << 5
			payload[index] = byte(noise)
		}
		payload[0] = byte(place)
		payloads[place] = payload
	}
	return payloads
}
