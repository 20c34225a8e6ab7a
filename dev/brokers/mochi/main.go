// mochi on a loopback port, for tests: everybody may do everything.
//
// Usage: broker-mochi PORT [FILE]; what it has taken is kept in the file.
package main

import (
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/hooks/storage/bolt"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	server := mqtt.New(&mqtt.Options{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	})
	check(server.AddHook(new(auth.AllowHook), nil))
	if len(os.Args) > 2 {
		check(server.AddHook(new(bolt.Hook), &bolt.Options{Path: os.Args[2]}))
	}
	check(server.AddListener(listeners.NewTCP(listeners.Config{
		ID:      "tcp",
		Address: "127.0.0.1:" + os.Args[1],
	})))
	check(server.Serve())
	<-ended
	check(server.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
