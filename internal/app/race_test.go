//go:build race

package app

// raceDetector says that everything takes many times as long.
const raceDetector = true
